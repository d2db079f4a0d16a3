package scopezoo.imagej;

import java.util.Collections;
import java.util.List;
import java.util.Map;

/** Members of JSON objects by kind; IllegalArgumentException for one of another kind. */
final class Fields {
  private Fields() {}

  @SuppressWarnings("unchecked") // Json makes no other maps
  static Map<String, Object> object(Object value) {
    return (Map<String, Object>) expect(Map.class, value);
  }

  /** A list, empty where there is none. */
  static List<?> list(Map<String, Object> object, String name) {
    Object value = object.get(name);
    return value == null ? Collections.emptyList() : expect(List.class, value);
  }

  static String text(Map<String, Object> object, String name) {
    return expect(String.class, object.get(name));
  }

  /** A number, NaN where there is none. */
  static double number(Map<String, Object> object, String name) {
    Object value = object.get(name);
    return value == null ? Double.NaN : expect(Double.class, value);
  }

  private static <T> T expect(Class<T> kind, Object value) {
    if (!kind.isInstance(value)) {
      throw new IllegalArgumentException("expected " + kind.getSimpleName() + ", found " + value);
    }
    return kind.cast(value);
  }
}
