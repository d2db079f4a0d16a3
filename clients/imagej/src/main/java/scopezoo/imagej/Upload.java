package scopezoo.imagej;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;

/** Sends a file in parts (tus 1.0); where the connection breaks it goes on from what arrived. */
class Upload {
  private static final int PART_BYTES = 4 << 20;
  private static final int MAX_FAILURES = 5;

  private final Server server;
  private final File file;
  private final Progress progress;
  final String path;

  Upload(Server server, File file, String name, Progress progress) throws Problem {
    this.server = server;
    this.file = file;
    this.progress = progress;
    Map<String, String> headers = new HashMap<>();
    headers.put("Tus-Resumable", "1.0.0");
    headers.put("Upload-Length", String.valueOf(file.length()));
    byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
    headers.put("Upload-Metadata", "filename " + Base64.getEncoder().encodeToString(utf8));
    Server.Reply created = server.send("POST", "/api/v1/uploads", headers, new byte[0]);
    path = URI.create(created.header("Location")).getRawPath();
  }

  /** What a job calls this upload. */
  String id() {
    return path.substring(path.lastIndexOf('/') + 1);
  }

  void send() throws Problem {
    long sent = 0;
    int failures = 0;
    boolean broke = false;
    while (sent < file.length()) {
      progress.show("sending the image", sent, file.length());
      try {
        sent = broke ? arrived() : sendPart(sent);
        broke = false;
        failures = 0;
      } catch (Problem.Passing e) {
        if (++failures > MAX_FAILURES) {
          throw e;
        }
        broke = true;
        progress.pause(failures);
      }
    }
  }

  void delete() {
    server.delete(path);
  }

  private long arrived() throws Problem {
    Map<String, String> headers = Collections.singletonMap("Tus-Resumable", "1.0.0");
    return offset(server.send("HEAD", path, headers, null));
  }

  private long sendPart(long offset) throws Problem {
    Map<String, String> headers = new HashMap<>();
    headers.put("Tus-Resumable", "1.0.0");
    headers.put("Content-Type", "application/offset+octet-stream");
    headers.put("Upload-Offset", String.valueOf(offset));
    return offset(server.send("PATCH", path, headers, part(offset)));
  }

  private byte[] part(long offset) throws Problem {
    try (RandomAccessFile in = new RandomAccessFile(file, "r")) {
      byte[] part = new byte[(int) Math.min(PART_BYTES, in.length() - offset)];
      in.seek(offset);
      in.readFully(part);
      return part;
    } catch (IOException e) {
      throw new Problem("Cannot read the temporary file " + file + ": " + e.getMessage());
    }
  }

  private static long offset(Server.Reply reply) throws Problem {
    return Long.parseLong(reply.header("Upload-Offset"));
  }
}
