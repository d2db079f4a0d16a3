package scopezoo.imagej;

import ij.Prefs;

/** What ImageJ keeps of the last call, in its preferences; a token only if people want that. */
final class Remembered {
  private static final String KEY = "scopezoo.";
  private static final String DEFAULT_SERVER = "http://127.0.0.1:8000";

  /** The token of this session, which is for one server and no other. */
  private static String sessionServer = "";
  private static String sessionToken = "";

  private Remembered() {}

  static Request last() {
    Request last = new Request();
    last.server = Prefs.get(KEY + "server", DEFAULT_SERVER);
    last.model = Prefs.get(KEY + "model", "");
    last.rescale = Prefs.get(KEY + "rescale", false);
    last.rois = Prefs.get(KEY + "rois", true);
    last.table = Prefs.get(KEY + "table", true);
    last.token = token(last.server);
    return last;
  }

  static void keep(Request request, boolean keepToken) {
    Prefs.set(KEY + "server", request.server);
    Prefs.set(KEY + "model", request.model);
    Prefs.set(KEY + "rescale", request.rescale);
    Prefs.set(KEY + "rois", request.rois);
    Prefs.set(KEY + "table", request.table);
    Prefs.set(KEY + "token", keepToken ? request.token : "");
    Prefs.set(KEY + "token.server", keepToken ? request.server : "");
    sessionServer = request.server;
    sessionToken = request.token;
  }

  /** The token that was given for this server, empty if none was. */
  static String token(String server) {
    return server.equals(sessionServer) ? sessionToken : isTokenKept(server) ? keptToken() : "";
  }

  static boolean isTokenKept(String server) {
    return !keptToken().isEmpty() && server.equals(Prefs.get(KEY + "token.server", ""));
  }

  private static String keptToken() {
    return Prefs.get(KEY + "token", "");
  }
}
