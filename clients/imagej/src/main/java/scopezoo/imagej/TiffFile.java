package scopezoo.imagej;

import ij.ImagePlus;
import ij.ImageStack;
import ij.VirtualStack;
import ij.io.FileInfo;
import ij.io.FileSaver;
import ij.io.TiffEncoder;
import ij.measure.Calibration;
import ij.process.ImageProcessor;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;

/** An open image as an ImageJ TIFF: pixels, order of C, Z and T, calibration, slice labels. */
final class TiffFile {
  private TiffFile() {}

  /** Write a temporary file, plane by plane for a virtual stack; the image stays as it is. */
  static File write(ImagePlus image) throws Problem {
    File file = null;
    try {
      file = File.createTempFile("scopezoo", ".tif");
      try (DataOutputStream out =
          new DataOutputStream(new BufferedOutputStream(new FileOutputStream(file)))) {
        new TiffEncoder(described(image)).write(out);
      }
      return file;
    } catch (IOException e) {
      if (file != null) {
        file.delete();
      }
      throw new Problem("Cannot write a temporary file in " + System.getProperty("java.io.tmpdir")
          + ": " + e.getMessage());
    }
  }

  private static FileInfo described(ImagePlus image) {
    ImagePlus bare = bare(image);
    FileInfo info = bare.getFileInfo();
    info.description = new FileSaver(bare).getDescriptionString();
    ImageStack stack = bare.getStack();
    if (stack.isVirtual()) {
      info.virtualStack = (VirtualStack) stack;
    } else {
      info.sliceLabels = stack.getSliceLabels();
    }
    // colours of a look-up table are how values are shown, not what they are
    info.whiteIsZero = false;
    if (info.fileType == FileInfo.COLOR8) {
      info.fileType = FileInfo.GRAY8;
    }
    return info;
  }

  /** The same pixels without what ImageJ only shows: colours, overlay, regions, notes. */
  private static ImagePlus bare(ImagePlus image) {
    Calibration calibration = image.getCalibration().copy();
    ImageStack stack = image.getStack();
    if (calibration.isSigned16Bit()) {
      stack = new SignedStack(stack);
    }
    calibration.disableDensityCalibration();
    ImagePlus bare = new ImagePlus(image.getTitle(), stack);
    bare.setDimensions(image.getNChannels(), image.getNSlices(), image.getNFrames());
    bare.setOpenAsHyperStack(image.isHyperStack() || image.isComposite());
    bare.setCalibration(calibration);
    return bare;
  }

  /** Signed 16 bit, which ImageJ keeps as unsigned plus 32768, as the float values that it is. */
  private static final class SignedStack extends VirtualStack {
    private final ImageStack shifted;

    SignedStack(ImageStack shifted) {
      super(shifted.getWidth(), shifted.getHeight(), null, "");
      this.shifted = shifted;
    }

    @Override
    public ImageProcessor getProcessor(int n) {
      ImageProcessor values = shifted.getProcessor(n).duplicate();
      values.setCalibrationTable(null);
      values = values.convertToFloatProcessor();
      values.add(-32768);
      return values;
    }

    @Override
    public int getSize() {
      return shifted.getSize();
    }

    @Override
    public int size() {
      return shifted.getSize();
    }

    @Override
    public int getBitDepth() {
      return 32;
    }

    @Override
    public String getSliceLabel(int n) {
      return shifted.getSliceLabel(n);
    }
  }
}
