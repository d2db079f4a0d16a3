package scopezoo.imagej;

import ij.IJ;
import java.awt.event.KeyEvent;
import java.io.File;

/** For macros: call("scopezoo.imagej.EscapeWhen.exists", path) presses Esc once a file is there. */
public final class EscapeWhen {
  private EscapeWhen() {}

  public static void exists(String path) {
    Thread thread = new Thread(() -> {
      while (!new File(path).exists()) {
        IJ.wait(20);
      }
      IJ.setKeyDown(KeyEvent.VK_ESCAPE);
    });
    thread.setDaemon(true);
    thread.start();
  }
}
