package scopezoo.imagej;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** Reads a JSON value from each line, and writes it again, or "wrong: " and why it is none. */
final class JsonEcho {
  private JsonEcho() {}

  public static void main(String[] arguments) throws IOException {
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      try {
        System.out.println(Json.write(Json.parse(line)));
      } catch (IllegalArgumentException e) {
        System.out.println("wrong: " + e.getMessage());
      }
    }
  }
}
