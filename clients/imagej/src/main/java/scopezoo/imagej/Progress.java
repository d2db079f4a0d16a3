package scopezoo.imagej;

import ij.IJ;

/** What ImageJ's status bar shows while people wait, and the Esc key by which they stop it. */
class Progress {
  Progress() {
    IJ.resetEscape();
  }

  /** Show a line, and a bar of `done` in `total`; Problem.Cancelled if Esc was pressed. */
  void show(String line, double done, double total) throws Problem.Cancelled {
    IJ.showStatus("scopezoo: " + line + " (Esc cancels)");
    IJ.showProgress(total > 0 ? Math.min(done / total, 0.99) : 0);
    check();
  }

  /** Wait; Problem.Cancelled if Esc was pressed meanwhile. */
  void pause(double seconds) throws Problem.Cancelled {
    long end = System.nanoTime() + (long) (seconds * 1e9);
    do {
      check();
      IJ.wait(50);
    } while (System.nanoTime() < end);
  }

  void done(String line) {
    IJ.showProgress(1.0);
    IJ.showStatus("scopezoo: " + line);
  }

  private void check() throws Problem.Cancelled {
    if (IJ.escapePressed()) {
      throw new Problem.Cancelled();
    }
  }
}
