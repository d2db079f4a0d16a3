package scopezoo.imagej;

import ij.process.LUT;
import java.awt.Color;
import java.awt.color.ColorSpace;
import java.util.Arrays;

/**
 * A look-up table of colours that are as unlike each other as possible, black for 0: each is the
 * one farthest in CIELAB from all before it (Glasbey et al. 2007, Color Research and Application
 * 32:304).
 */
final class LabelColours {
  private static final int STEP = 15;
  private static final float DARKEST = 40;

  private LabelColours() {}

  static LUT lut() {
    int levels = 255 / STEP + 1;
    int count = levels * levels * levels;
    float[][] lab = new float[count][];
    int[][] rgb = new int[count][];
    double[] distance = new double[count];
    Arrays.fill(distance, Double.MAX_VALUE);
    for (int i = 0; i < count; i++) {
      rgb[i] = new int[] {
        i / levels / levels * STEP, i / levels % levels * STEP, i % levels * STEP
      };
      lab[i] = lab(rgb[i]);
    }
    byte[][] table = new byte[3][256];
    int chosen = 0; // black, from which all others keep away
    for (int index = 0; index < 256; index++) {
      for (int band = 0; band < 3; band++) {
        table[band][index] = (byte) rgb[chosen][band];
      }
      chosen = farthest(lab, distance, chosen);
    }
    return new LUT(table[0], table[1], table[2]);
  }

  /** The colour that is farthest from `last` and those before it, whose distances it keeps. */
  private static int farthest(float[][] lab, double[] distance, int last) {
    int best = 0;
    for (int i = 0; i < lab.length; i++) {
      double apart = 0;
      for (int band = 0; band < 3; band++) {
        apart += Math.pow(lab[i][band] - lab[last][band], 2);
      }
      distance[i] = Math.min(distance[i], apart);
      if (lab[i][0] >= DARKEST && (lab[best][0] < DARKEST || distance[i] > distance[best])) {
        best = i;
      }
    }
    return best;
  }

  /** CIE 1976 L*a*b* of an sRGB colour (Java's XYZ has the white point D50). */
  private static float[] lab(int[] rgb) {
    float[] srgb = new Color(rgb[0], rgb[1], rgb[2]).getRGBColorComponents(null);
    float[] xyz = ColorSpace.getInstance(ColorSpace.CS_sRGB).toCIEXYZ(srgb);
    double x = root(xyz[0] / 0.9642);
    double y = root(xyz[1]);
    double z = root(xyz[2] / 0.8249);
    return new float[] {
      (float) (116 * y - 16), (float) (500 * (x - y)), (float) (200 * (y - z))
    };
  }

  private static double root(double t) {
    return t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16.0 / 116;
  }
}
