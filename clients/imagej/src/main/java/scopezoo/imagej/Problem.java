package scopezoo.imagej;

/** What keeps a prediction from being made; its message tells people what to do. */
class Problem extends Exception {
  private static final long serialVersionUID = 1;

  Problem(String message) {
    super(message);
  }

  /** What may be over in a moment: no server answers, the connection broke, a lock is held. */
  static class Passing extends Problem {
    private static final long serialVersionUID = 1;

    Passing(String message) {
      super(message);
    }
  }

  /** The user pressed Esc. */
  static class Cancelled extends Problem {
    private static final long serialVersionUID = 1;

    Cancelled() {
      super("cancelled");
    }
  }
}
