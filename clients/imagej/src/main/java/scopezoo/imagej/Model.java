package scopezoo.imagej;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What a server says of one of its models. */
class Model {
  final String id;
  final String name;
  /** How many channels the first input takes. */
  final int channels;
  /** For each output, whether its pixels are numbers of objects. */
  final List<Boolean> labels = new ArrayList<>();

  Model(Map<String, Object> json) {
    id = Fields.text(json, "id");
    name = Fields.text(json, "name");
    List<?> inputs = Fields.list(json, "inputs");
    channels = inputs.isEmpty() ? 1
        : Math.max(1, Fields.list(Fields.object(inputs.get(0)), "channels").size());
    for (Object output : Fields.list(json, "outputs")) {
      labels.add("labels".equals(Fields.object(output).get("kind")));
    }
  }

  static List<Model> all(Server server) throws Problem {
    List<Model> models = new ArrayList<>();
    for (Object model : Fields.list(server.get("/api/v1/models"), "models")) {
      models.add(new Model(Fields.object(model)));
    }
    return models;
  }

  /** The model of this id; Problem with what there is where there is none. */
  static Model named(Server server, String id) throws Problem {
    List<Model> models = all(server);
    for (Model model : models) {
      if (model.id.equals(id)) {
        return model;
      }
    }
    String ids = models.stream().map(model -> model.id).collect(Collectors.joining(", "));
    throw new Problem(server.url + " has no model \"" + id + "\".\nIt has: " + ids);
  }

  boolean findsObjects() {
    return labels.contains(true);
  }

  boolean isLabels(int output) {
    return output < labels.size() && labels.get(output);
  }
}
