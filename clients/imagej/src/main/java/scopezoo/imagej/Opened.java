package scopezoo.imagej;

import ij.CompositeImage;
import ij.ImagePlus;
import ij.io.Opener;
import ij.measure.Calibration;
import ij.process.ImageStatistics;
import ij.process.StackStatistics;
import java.io.File;

/** Opens a result as the source is: its calibration and dimensions, in colours that show it. */
final class Opened {
  private Opened() {}

  static ImagePlus image(File file, ImagePlus source, String title, boolean labels)
      throws Problem {
    ImagePlus image = new Opener().openTiff(file.getParent() + File.separator, file.getName());
    if (image == null) {
      throw new Problem("ImageJ cannot open the result. It may be too large for this ImageJ: "
          + "use the server's page or the command line.");
    }
    image.setTitle(title);
    image.setFileInfo(null); // else "Revert" looks for the temporary file
    restoreDimensions(image, source);
    image.setCalibration(calibration(image, source));
    if (labels) {
      showLabels(image);
    } else {
      showValues(image);
    }
    image.changes = true;
    return image;
  }

  /** OME-TIFF, which holds what ImageJ TIFF cannot, opens as a plain stack in ImageJ. */
  private static void restoreDimensions(ImagePlus image, ImagePlus source) {
    int planes = source.getNSlices() * source.getNFrames();
    int size = image.getStackSize();
    boolean plain = !image.isHyperStack() && !image.isComposite();
    if (plain && size > 1 && size % planes == 0) {
      image.setDimensions(size / planes, source.getNSlices(), source.getNFrames());
      image.setOpenAsHyperStack(source.isHyperStack() && size > source.getNSlices());
    }
  }

  /** The source's, whose units stay; a result of other size covers the same field. */
  private static Calibration calibration(ImagePlus image, ImagePlus source) {
    Calibration calibration = source.getCalibration().copy();
    calibration.disableDensityCalibration();
    calibration.pixelWidth *= (double) source.getWidth() / image.getWidth();
    calibration.pixelHeight *= (double) source.getHeight() / image.getHeight();
    calibration.pixelDepth *= (double) source.getNSlices() / image.getNSlices();
    return calibration;
  }

  private static void showLabels(ImagePlus image) {
    double largest = new StackStatistics(image).max;
    image.setLut(LabelColours.lut());
    image.setDisplayRange(0, Math.max(largest, 255));
  }

  /** From the smallest to the largest value in the middle of the stack, for each channel. */
  private static void showValues(ImagePlus image) {
    image.setPositionWithoutUpdate(1, (image.getNSlices() + 1) / 2, 1);
    if (image instanceof CompositeImage) {
      ((CompositeImage) image).resetDisplayRanges();
      return;
    }
    ImageStatistics values = image.getProcessor().getStatistics();
    if (values.max > values.min) {
      image.setDisplayRange(values.min, values.max);
    }
  }
}
