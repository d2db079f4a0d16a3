package scopezoo.imagej;

import ij.IJ;
import ij.ImagePlus;
import ij.Macro;
import ij.WindowManager;
import ij.macro.Interpreter;
import ij.plugin.PlugIn;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;

/** Plugins &gt; scopezoo &gt; Predict...: runs a server's model on the front image. */
public class Predict implements PlugIn {
  private static final String TITLE = "scopezoo";

  @Override
  public void run(String arg) {
    Progress progress = new Progress();
    try {
      ImagePlus image = WindowManager.getCurrentImage();
      if (image == null) {
        throw new Problem("No image is open.\nOpen the image that a model is to run on, then "
            + "choose Predict again.");
      }
      Request request = new PredictDialog(image).ask();
      if (request != null) {
        predict(image, request, progress);
      }
    } catch (Problem.Cancelled e) {
      progress.done("cancelled");
      stopMacro();
    } catch (Problem e) {
      fail(progress, e.getMessage());
    } catch (IllegalArgumentException e) {
      fail(progress, "The server answered with something else than expected (" + e.getMessage()
          + ").\nIs this plugin of the server's version? Fetch it from the server's page.");
    } catch (OutOfMemoryError e) {
      fail(progress, "ImageJ is out of memory.\nClose images, or give it more: "
          + "Edit > Options > Memory & Threads.");
    }
  }

  /** Say why, and stop the macro. Without ImageJ's window nobody could close a dialog. */
  private static void fail(Progress progress, String message) {
    progress.done("failed");
    if (IJ.getInstance() != null && IJ.getInstance().isShowing()) {
      IJ.error(TITLE, message);
    } else {
      System.err.println(TITLE + ": " + message);
      stopMacro();
    }
  }

  private static void stopMacro() {
    Interpreter.abort(); // macros in ImageJ's own language
    Macro.abort(); // calls from other scripts
  }

  private static void predict(ImagePlus image, Request request, Progress progress)
      throws Problem {
    Server server = new Server(request.server, request.token, progress);
    progress.show("asking " + request.server, 0, 0);
    Model model = Model.named(server, request.model);
    List<File> temporary = new ArrayList<>();
    Upload upload = null;
    Job job = null;
    try {
      File file = TiffFile.write(image);
      temporary.add(file);
      upload = new Upload(server, file, Paths.fileName(image.getTitle()), progress);
      upload.send();
      job = new Job(server, upload.id(), request, model.findsObjects(), progress);
      job.await();
      show(new Fetched(server, job, temporary), image, model, request, progress);
    } finally {
      if (job != null) {
        job.delete();
      }
      if (upload != null) {
        upload.delete();
      }
      temporary.forEach(File::delete);
    }
  }

  /** Files of a job, each fetched into a temporary file. */
  private static final class Fetched {
    private final Server server;
    final Job job;
    private final List<File> temporary;

    Fetched(Server server, Job job, List<File> temporary) {
      this.server = server;
      this.job = job;
      this.temporary = temporary;
    }

    List<File> of(String kind) throws Problem {
      List<File> files = new ArrayList<>();
      for (String path : job.files(kind)) {
        try {
          File file = File.createTempFile("scopezoo", path.substring(path.lastIndexOf('.')));
          temporary.add(file);
          server.download(path, file);
          files.add(file);
        } catch (IOException e) {
          throw new Problem("Cannot write a temporary file: " + e.getMessage());
        }
      }
      return files;
    }
  }

  private static void show(
      Fetched fetched, ImagePlus source, Model model, Request request, Progress progress)
      throws Problem {
    progress.show("fetching the result", 0, 0);
    String title = Paths.stem(source.getTitle()) + "-" + model.id;
    String record = record(fetched.of("record"));
    List<File> rois = fetched.of("rois");
    List<File> tables = fetched.of("table");
    List<File> results = fetched.of("result");
    for (int i = results.size() - 1; i >= 0; i--) { // the first ends up in front
      String name = i == 0 ? title : title + "-" + (i + 1);
      ImagePlus image = Opened.image(results.get(i), source, name, model.isLabels(i));
      image.setProperty("Info", record);
      image.show();
    }
    for (File zip : rois) {
      Measured.addRois(zip);
    }
    for (File csv : tables) {
      Measured.showTable(csv, title);
    }
    for (String warning : fetched.job.warnings()) {
      IJ.log(TITLE + ": " + source.getTitle() + ": " + warning);
    }
    progress.done(model.name + " is done");
  }

  private static String record(List<File> files) throws Problem {
    try {
      return files.isEmpty() ? null
          : new String(Files.readAllBytes(files.get(0).toPath()), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new Problem("Cannot read a temporary file: " + e.getMessage());
    }
  }
}
