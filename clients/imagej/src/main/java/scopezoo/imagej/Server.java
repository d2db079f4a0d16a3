package scopezoo.imagej;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.HttpURLConnection;
import java.net.MalformedURLException;
import java.net.SocketTimeoutException;
import java.net.URL;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.Collections;
import java.util.Map;

/** A scopezoo server: requests, and what its refusals mean. */
class Server {
  private static final int CONNECT_MS = 10_000;
  private static final int READ_MS = 120_000;
  private static final double MAX_BUSY_S = 600;
  private static final int MAX_PAUSE_S = 60;

  final String url;
  private final String token;
  private final Progress progress;

  /** `token` may be empty; without `progress` a busy server is not waited for. */
  Server(String url, String token, Progress progress) {
    this.url = url;
    this.token = token;
    this.progress = progress;
  }

  /** What people type, as the beginning of a URL. */
  static String address(String typed) {
    String text = typed.trim().replaceAll("/+$", "");
    return text.isEmpty() || text.contains("://") ? text : "http://" + text;
  }

  /** Status, headers and body of an answer. */
  static final class Reply {
    final int status;
    final byte[] body;
    private final HttpURLConnection connection;

    Reply(HttpURLConnection connection, int status, byte[] body) {
      this.connection = connection;
      this.status = status;
      this.body = body;
    }

    String header(String name) throws Problem {
      String value = connection.getHeaderField(name);
      if (value == null) {
        throw new Problem("The answer of " + connection.getURL() + " lacks " + name
            + ": is it a scopezoo server, of this plugin's version?");
      }
      return value;
    }

    String text() {
      return new String(body, StandardCharsets.UTF_8);
    }
  }

  Map<String, Object> get(String path) throws Problem {
    return object(path, send("GET", path, Collections.emptyMap(), null));
  }

  Map<String, Object> post(String path, Object json) throws Problem {
    byte[] body = json == null ? new byte[0] : Json.write(json).getBytes(StandardCharsets.UTF_8);
    Map<String, String> headers = Collections.singletonMap("Content-Type", "application/json");
    return object(path, send("POST", path, headers, body));
  }

  /** Ask for something to be removed; nothing is said if that fails, since it expires anyhow. */
  void delete(String path) {
    try {
      once("DELETE", path, Collections.singletonMap("Tus-Resumable", "1.0.0"), null);
    } catch (Problem expected) {
      return;
    }
  }

  /** One request; while the server is busy it is sent again, as often as Retry-After says. */
  Reply send(String method, String path, Map<String, String> headers, byte[] body) throws Problem {
    double waited = 0;
    while (true) {
      Reply reply = once(method, path, headers, body);
      if (reply.status != 503) {
        return checked(reply);
      }
      double pause = retryAfter(reply);
      if (progress == null || waited + pause > MAX_BUSY_S) {
        throw new Problem(url + " is busy: " + message(reply) + "\nTry again later.");
      }
      progress.show("the server is busy, trying again in " + Math.round(pause) + " s", 0, 0);
      progress.pause(pause);
      waited += pause;
    }
  }

  /** Fetch a file. */
  void download(String path, File target) throws Problem {
    HttpURLConnection connection = open("GET", path, Collections.emptyMap());
    try {
      int status = connection.getResponseCode();
      if (status != 200) {
        checked(new Reply(connection, status, read(connection, status)));
        throw new Problem(url + path + " answered with status " + status);
      }
      try (InputStream in = connection.getInputStream()) {
        Files.copy(in, target.toPath(), StandardCopyOption.REPLACE_EXISTING);
      }
      long expected = connection.getContentLengthLong();
      if (expected >= 0 && target.length() != expected) {
        throw new IOException("the download broke off");
      }
    } catch (IOException e) {
      throw away(e);
    } finally {
      connection.disconnect();
    }
  }

  private Reply once(String method, String path, Map<String, String> headers, byte[] body)
      throws Problem {
    HttpURLConnection connection = open(method, path, headers);
    try {
      if (body != null) {
        connection.setDoOutput(true);
        connection.setFixedLengthStreamingMode(body.length);
        try (OutputStream out = connection.getOutputStream()) {
          out.write(body);
        }
      }
      int status = connection.getResponseCode();
      return new Reply(connection, status, read(connection, status));
    } catch (IOException e) {
      throw away(e);
    } finally {
      connection.disconnect();
    }
  }

  private HttpURLConnection open(String method, String path, Map<String, String> headers)
      throws Problem {
    try {
      HttpURLConnection connection = (HttpURLConnection) new URL(url + path).openConnection();
      // HttpURLConnection has no PATCH; tus 1.0 offers this header to such clients
      boolean patch = method.equals("PATCH");
      connection.setRequestMethod(patch ? "POST" : method);
      if (patch) {
        connection.setRequestProperty("X-HTTP-Method-Override", "PATCH");
      }
      connection.setConnectTimeout(CONNECT_MS);
      connection.setReadTimeout(READ_MS);
      // a token must not follow to another host, nor a request be sent twice on a stale connection
      connection.setInstanceFollowRedirects(false);
      connection.setRequestProperty("Connection", "close");
      connection.setUseCaches(false);
      if (!token.isEmpty()) {
        connection.setRequestProperty("Authorization", "Bearer " + token);
      }
      headers.forEach(connection::setRequestProperty);
      return connection;
    } catch (MalformedURLException | ClassCastException e) {
      throw new Problem("\"" + url + "\" is no address of a server: expected one such as "
          + "http://127.0.0.1:8000");
    } catch (IOException | IllegalArgumentException e) {
      throw away(e);
    }
  }

  private static byte[] read(HttpURLConnection connection, int status) throws IOException {
    try (InputStream in =
        status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      byte[] buffer = new byte[1 << 16];
      for (int n = in == null ? -1 : in.read(buffer); n >= 0; n = in.read(buffer)) {
        out.write(buffer, 0, n);
      }
      return out.toByteArray();
    } catch (FileNotFoundException e) { // what it makes of a 404 without a body
      return new byte[0];
    }
  }

  private Map<String, Object> object(String path, Reply reply) throws Problem {
    try {
      return Fields.object(Json.parse(reply.text()));
    } catch (IllegalArgumentException e) {
      throw new Problem(url + path + " answered with something else than expected. "
          + "Is it a scopezoo server?");
    }
  }

  private Reply checked(Reply reply) throws Problem {
    int status = reply.status;
    if (status == 401) {
      throw new Problem(url + (token.isEmpty() ? " wants a token." : " does not know this token.")
          + "\nAsk the people who run it for a token, and enter it in the dialog of Predict;"
          + "\na macro says token=..., or uses the token that the dialog remembers.");
    }
    if (status == 403) {
      throw new Problem(url + " refuses this: " + message(reply)
          + "\nAsk the people who run it for a token that may upload images.");
    }
    if (status >= 300 && status < 400) {
      throw new Problem(url + " sends on to " + reply.header("Location")
          + "\nGive the address that it leads to as the server.");
    }
    if (status == 409 || status == 423) { // the part before, whose connection broke, is not over
      throw new Problem.Passing(message(reply));
    }
    if (status >= 400) {
      throw new Problem(message(reply));
    }
    return reply;
  }

  private static double retryAfter(Reply reply) {
    String value = reply.connection.getHeaderField("Retry-After");
    boolean number = value != null && value.matches("\\d{1,4}");
    return number ? Math.min(Math.max(Integer.parseInt(value), 1), MAX_PAUSE_S) : 5;
  }

  /** The one line that the server says; it speaks of options as the command line has them. */
  private String message(Reply reply) {
    try {
      Map<String, Object> answer = Fields.object(Json.parse(reply.text()));
      return Fields.text(Fields.object(answer.get("error")), "message")
          .replaceAll("--(\\w)", "$1");
    } catch (IllegalArgumentException e) {
      return url + " answered with status " + reply.status + ". Is it a scopezoo server?";
    }
  }

  private Problem.Passing away(Exception e) {
    String why = e instanceof UnknownHostException ? "this name is not known"
        : e instanceof SocketTimeoutException ? "no answer in time"
        : e instanceof ConnectException ? "nothing answers there"
        : "the connection broke: " + e.getMessage();
    return new Problem.Passing("No scopezoo server at " + url + " (" + why + ")."
        + "\nCheck the address, or start a server (scopezoo serve).");
  }
}
