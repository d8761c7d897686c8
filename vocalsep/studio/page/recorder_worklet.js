/** Sends the microphone's samples to the page, each block with the time of its first sample on the audio clock. */
class RecorderProcessor extends AudioWorkletProcessor {
  process([[channel]]) {
    if (channel) this.port.postMessage({ frame: currentFrame, samples: channel.slice() });
    return true;
  }
}

registerProcessor("recorder", RecorderProcessor);
