/** A radix-2 Fourier transform of `size` points, a power of two. */
export class FFT {
  constructor(size) {
    this.size = size;
    this.cos = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.sin = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
    this.order = new Uint32Array(size);
    for (let i = 1; i < size; i += 1) this.order[i] = (this.order[i >> 1] >> 1) | (i & 1 ? size >> 1 : 0);
  }

  /** Transform `re` + i `im` in place. */
  transform(re, im) {
    this.#shuffle(re);
    this.#shuffle(im);
    for (let half = 1; half < this.size; half *= 2) {
      const stride = this.size / (2 * half);
      for (let block = 0; block < this.size; block += 2 * half) {
        for (let k = 0; k < half; k += 1) {
          const a = block + k;
          const b = a + half;
          const cos = this.cos[k * stride];
          const sin = this.sin[k * stride];
          const real = re[b] * cos + im[b] * sin;
          const imaginary = im[b] * cos - re[b] * sin;
          re[b] = re[a] - real;
          im[b] = im[a] - imaginary;
          re[a] += real;
          im[a] += imaginary;
        }
      }
    }
  }

  #shuffle(values) {
    for (let i = 0; i < this.size; i += 1) {
      const j = this.order[i];
      if (i < j) [values[i], values[j]] = [values[j], values[i]];
    }
  }
}
