package scopezoo.imagej;

import java.io.UnsupportedEncodingException;
import java.net.URLEncoder;

/** Names in URLs and files. */
final class Paths {
  private static final String ENDING =
      "(?i)(\\.ome)?\\.(tiff?|png|jpe?g|gif|bmp|zip|lsm|czi|nd2|lif)$";

  private Paths() {}

  /** A name as one part of a URL's path. */
  static String quoted(String name) {
    try {
      return URLEncoder.encode(name, "UTF-8").replace("+", "%20");
    } catch (UnsupportedEncodingException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** An image's title without the ending of a file. */
  static String stem(String title) {
    String stem = title.replaceFirst(ENDING, "");
    return stem.isEmpty() ? title : stem;
  }

  /** A file name that every system takes. */
  static String fileName(String title) {
    return stem(title).replaceAll("[\\p{Cntrl}/\\\\:*?\"<>|]", "_") + ".tif";
  }
}
