package scopezoo.imagej;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A prediction on the server, from its start to its files. */
class Job {
  private static final double FIRST_PAUSE_S = 0.2;
  private static final double LAST_PAUSE_S = 2;
  private static final int MAX_FAILURES = 10;

  private final Server server;
  private final Progress progress;
  private Map<String, Object> state;

  /** Start it. */
  Job(Server server, String upload, Request request, boolean objects, Progress progress)
      throws Problem {
    this.server = server;
    this.progress = progress;
    Map<String, Object> parameters = new HashMap<>();
    if (!request.channel.isEmpty()) {
      parameters.put("channel", request.channel);
    }
    parameters.put("rescale", request.rescale);
    parameters.put("rois", request.rois && objects);
    parameters.put("table", request.table && objects);
    parameters.put("format", "tif");
    Map<String, Object> body = new HashMap<>();
    body.put("model", request.model);
    body.put("input", Collections.singletonMap("upload", upload));
    body.put("parameters", parameters);
    state = server.post("/api/v1/jobs", body);
  }

  /** Wait for its end, Problem if that is none; Esc cancels it on the server too. */
  void await() throws Problem {
    double pause = FIRST_PAUSE_S;
    int failures = 0;
    while (is("queued") || is("running")) {
      show();
      progress.pause(pause);
      pause = Math.min(pause * 1.3, LAST_PAUSE_S);
      try {
        state = server.get(path());
        failures = 0;
      } catch (Problem.Passing e) {
        if (++failures > MAX_FAILURES) {
          throw e;
        }
      }
    }
    if (!is("done")) {
      throw new Problem(failure());
    }
  }

  /** Stop it if it runs, and remove its files from the server. */
  void delete() {
    server.delete(path());
  }

  List<String> warnings() {
    List<String> warnings = new ArrayList<>();
    Fields.list(state, "warnings").forEach(warning -> warnings.add(String.valueOf(warning)));
    return warnings;
  }

  /** Paths on the server of the files of one kind: result, record, table or rois. */
  List<String> files(String kind) {
    List<String> paths = new ArrayList<>();
    for (Object item : Fields.list(state, "files")) {
      Map<String, Object> file = Fields.object(item);
      if (kind.equals(file.get("kind"))) {
        paths.add(Fields.text(file, "url"));
      }
    }
    return paths;
  }

  private String path() {
    return "/api/v1/jobs/" + Paths.quoted(Fields.text(state, "id"));
  }

  private boolean is(String name) {
    return name.equals(state.get("state"));
  }

  private void show() throws Problem {
    String line = Fields.text(state, "model") + (is("queued") ? " waits for its turn" : "");
    double done = 0;
    double total = 0;
    if (state.get("progress") != null && is("running")) {
      Map<String, Object> parts = Fields.object(state.get("progress"));
      done = Fields.number(parts, "done");
      total = Fields.number(parts, "total");
    }
    double left = Fields.number(state, "seconds_left");
    if (left > 0) {
      line += ", " + duration(left) + " left";
    }
    progress.show(line, done, total);
  }

  static String duration(double seconds) {
    long whole = Math.round(Math.max(seconds, 1));
    return whole < 90 ? whole + " s"
        : whole < 5400 ? Math.round(whole / 60.0) + " min"
        : Math.round(whole / 3600.0) + " h";
  }

  private String failure() {
    if (state.get("error") == null) {
      return "The job was cancelled on the server.";
    }
    return Fields.text(Fields.object(state.get("error")), "message").replaceAll("--(\\w)", "$1");
  }
}
