package scopezoo.imagej;

import ij.measure.ResultsTable;
import ij.plugin.filter.Analyzer;
import ij.plugin.frame.Recorder;
import ij.plugin.frame.RoiManager;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;

/** Objects where ImageJ's users look for them: the ROI Manager and the Results window. */
final class Measured {
  private Measured() {}

  /** Add the ROIs of a zip to those that the ROI Manager has. */
  static void addRois(File zip) {
    RoiManager open = RoiManager.getInstance(); // in batch mode the macro's own, which is not shown
    RoiManager manager = open == null ? new RoiManager() : open;
    boolean recording = Recorder.record;
    Recorder.record = false; // a macro that opens the temporary file is of no use
    manager.runCommand("Open", zip.getPath());
    Recorder.record = recording;
  }

  /** Show a CSV of numbers as Results; ImageJ asks before it drops unsaved measurements. */
  static void showTable(File csv, String title) throws Problem {
    ResultsTable table = new ResultsTable();
    try {
      List<String> lines = Files.readAllLines(csv.toPath(), StandardCharsets.UTF_8);
      List<String> columns = cells(lines.get(0));
      for (String line : lines.subList(1, lines.size())) {
        List<String> values = cells(line);
        table.incrementCounter();
        for (int i = 0; i < columns.size(); i++) {
          table.addValue(columns.get(i), Double.parseDouble(values.get(i).replace("nan", "NaN")));
        }
      }
    } catch (IOException | IndexOutOfBoundsException | NumberFormatException e) {
      throw new Problem("The server's table of objects cannot be read: " + e.getMessage());
    }
    boolean free = Analyzer.resetCounter();
    if (free) {
      Analyzer.setResultsTable(table);
    }
    table.show(free ? "Results" : title);
  }

  /** The cells of a line of CSV (RFC 4180, without line breaks in cells). */
  static List<String> cells(String line) {
    List<String> cells = new ArrayList<>();
    StringBuilder cell = new StringBuilder();
    boolean quoted = false;
    for (char c : line.toCharArray()) {
      if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        cells.add(cell.toString());
        cell.setLength(0);
      } else {
        cell.append(c);
      }
    }
    cells.add(cell.toString());
    return cells;
  }
}
