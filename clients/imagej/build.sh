#!/bin/sh
# Builds build/scopezoo_imagej.jar, the same bytes from the same sources and compiler.
# IJ_JAR names ImageJ's own jar, for example Fiji's jars/ij-1.54f.jar.
set -eu
cd "$(dirname "$0")"
IJ_JAR=${IJ_JAR:-/usr/share/java/ij.jar}
command -v javac >/dev/null || { echo "javac is missing: install a JDK, 17 or newer" >&2; exit 1; }
[ -f "$IJ_JAR" ] || { echo "$IJ_JAR is missing: install imagej, or set IJ_JAR" >&2; exit 1; }
rm -rf build
mkdir -p build/classes
javac --release 8 -Xlint:all,-options -encoding UTF-8 -cp "$IJ_JAR" -d build/classes \
  src/main/java/scopezoo/imagej/*.java
cp src/main/resources/plugins.config build/classes/
# sorted, because a folder's order is the file system's
(cd build/classes && find . -type f | sed 's|^\./||' | LC_ALL=C sort >../files)
(cd build/classes && jar --create --file ../scopezoo_imagej.jar --no-manifest \
  --date=1980-01-01T00:00:02+00:00 @../files)
echo "$(pwd)/build/scopezoo_imagej.jar"
