package scopezoo.imagej;

import ij.IJ;
import ij.ImagePlus;
import ij.Macro;
import ij.gui.GenericDialog;
import java.awt.Button;
import java.awt.Checkbox;
import java.awt.Choice;
import java.awt.EventQueue;
import java.awt.FlowLayout;
import java.awt.Label;
import java.awt.Panel;
import java.awt.TextField;
import java.awt.event.FocusAdapter;
import java.awt.event.FocusEvent;
import java.util.ArrayList;
import java.util.List;

/**
 * Asks what to run. The words of a macro's call are the first words of the fields: server, model,
 * channel, rescale, rois, table; `token` may be said too but is never recorded.
 */
class PredictDialog {
  private static final int NOTE_WIDTH = 64;

  private final ImagePlus image;
  private GenericDialog dialog;
  private TextField server;
  private TextField token;
  private Checkbox keepToken;
  private Choice choice;
  private TextField channel;
  private Label note;
  private List<Model> models = new ArrayList<>();
  private String listed = "";

  PredictDialog(ImagePlus image) {
    this.image = image;
  }

  /** What people or the macro want; null if they don't. */
  Request ask() throws Problem {
    String options = Macro.getOptions();
    return options == null ? asked() : said(options);
  }

  /** A macro's word: the model is taken as given, and nothing is remembered. */
  private Request said(String options) throws Problem {
    Request defaults = Remembered.last();
    defaults.model = "";
    build(defaults);
    dialog.showDialog();
    Request request = read();
    request.token = Macro.getValue(options, "token", Remembered.token(request.server));
    if (request.model.isEmpty()) {
      throw new Problem("The macro does not say which model: for example "
          + "model=nuclei-stardist-2d.");
    }
    return request;
  }

  private Request asked() {
    Request values = Remembered.last();
    while (true) {
      build(values);
      list(values.server, values.token, values.model);
      dialog.showDialog();
      if (dialog.wasCanceled()) {
        return null;
      }
      if (Server.address(server.getText()).equals(listed) && !models.isEmpty()) {
        Request request = read();
        request.token = token.getText().trim();
        Remembered.keep(request, keepToken.getState());
        return request;
      }
      values = shown(); // the choice is not that server's: show it again with its models
    }
  }

  private void build(Request values) {
    dialog = new GenericDialog("scopezoo: Predict");
    dialog.addStringField("Server", values.server, 32);
    server = (TextField) dialog.getStringFields().lastElement();
    dialog.addPanel(tokenPanel(values));
    dialog.addChoice("Model", new String[] {values.model}, values.model);
    choice = (Choice) dialog.getChoices().lastElement();
    dialog.addMessage(spaces());
    note = (Label) dialog.getMessage();
    dialog.addStringField("Channel (name, or number from 0)", values.channel, 12);
    channel = (TextField) dialog.getStringFields().lastElement();
    dialog.addCheckbox("Rescale to the pixel size of the model", values.rescale);
    dialog.addCheckbox("ROIs of objects into the ROI Manager", values.rois);
    dialog.addCheckbox("Table of objects into Results", values.table);
    dialog.addHelp(values.server + "/");
    choice.addItemListener(event -> describe());
    server.addFocusListener(new FocusAdapter() {
      @Override
      public void focusLost(FocusEvent event) {
        if (!Server.address(server.getText()).equals(listed)) {
          refresh();
        }
      }
    });
  }

  /** Not fields of the dialog, which ImageJ would record. */
  private Panel tokenPanel(Request values) {
    token = new TextField(values.token, 14);
    token.setEchoChar('*');
    keepToken = new Checkbox("Remember it", Remembered.isTokenKept(values.server));
    Button refresh = new Button("List models");
    refresh.addActionListener(event -> refresh());
    Panel panel = new Panel(new FlowLayout(FlowLayout.LEFT, 5, 0));
    panel.add(new Label("Token, if it wants one"));
    panel.add(token);
    panel.add(keepToken);
    panel.add(refresh);
    return panel;
  }

  private Request read() {
    Request request = new Request();
    request.server = Server.address(dialog.getNextString());
    request.model = dialog.getNextChoice();
    request.channel = dialog.getNextString().trim();
    request.rescale = dialog.getNextBoolean();
    request.rois = dialog.getNextBoolean();
    request.table = dialog.getNextBoolean();
    return request;
  }

  /** The same as `read`, of fields that ImageJ does not record. */
  private Request shown() {
    Request values = new Request();
    values.server = Server.address(server.getText());
    values.token = token.getText().trim();
    values.channel = channel.getText().trim();
    values.rescale = box(0).getState();
    values.rois = box(1).getState();
    values.table = box(2).getState();
    return values;
  }

  private Checkbox box(int index) {
    return (Checkbox) dialog.getCheckboxes().get(index);
  }

  /** Ask the server that is typed, without holding up the dialog. */
  private void refresh() {
    String address = Server.address(server.getText());
    String secret = token.getText().trim();
    String wanted = choice.getSelectedItem();
    note("asking " + address + " ...");
    Thread thread = new Thread(() -> list(address, secret, wanted), "scopezoo models");
    thread.setDaemon(true);
    thread.start();
  }

  private void list(String address, String secret, String wanted) {
    List<Model> found = new ArrayList<>();
    String problem = null;
    try {
      found = Model.all(new Server(address, secret, null));
    } catch (Problem e) {
      problem = e.getMessage().replaceAll("\\n.*", "");
    } catch (IllegalArgumentException e) {
      problem = "This is no scopezoo server of this plugin's version.";
    }
    String said = found.isEmpty() && problem == null ? "The server has no models." : problem;
    List<Model> offered = found;
    EventQueue.invokeLater(() -> offer(address, offered, wanted, said));
  }

  private void offer(String address, List<Model> offered, String wanted, String problem) {
    models = offered;
    listed = address;
    choice.removeAll();
    for (Model model : models) {
      choice.add(model.id);
    }
    if (models.stream().anyMatch(model -> model.id.equals(wanted))) {
      choice.select(wanted);
    }
    if (problem == null) {
      describe();
    } else {
      note(problem);
    }
  }

  /** Say what the chosen model is, and pick the channel in view for a model that takes one. */
  private void describe() {
    Model model = models.get(choice.getSelectedIndex());
    note(model.name);
    boolean several = image.getNChannels() > 1;
    if (several && model.channels == 1 && channel.getText().trim().isEmpty()) {
      channel.setText(String.valueOf(image.getC() - 1));
    }
  }

  private void note(String text) {
    note.setText(text);
    dialog.pack();
  }

  private static String spaces() {
    return String.format("%" + NOTE_WIDTH + "s", "");
  }
}
