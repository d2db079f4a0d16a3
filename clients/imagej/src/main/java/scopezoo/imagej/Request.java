package scopezoo.imagej;

/** What is asked of a server, without the image. */
class Request {
  String server = "";
  String token = "";
  String model = "";
  String channel = "";
  boolean rescale;
  boolean rois;
  boolean table;
}
