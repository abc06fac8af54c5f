// The camera: frames one after another, each asked about when the answer to the one before is there.

import { FRAME_PAUSE, photoFromCanvas } from "./answers.js";

const LONGEST = 640; // pixels of a frame that is asked about
const PAUSE = 120, PAUSE_WHEN_BUSY = 1500; // milliseconds

export class Camera {
  // video, canvas: what is shown live, and where a frame is drawn; ask(photo): a promise of whether the server had time.
  constructor(video, canvas, ask) {
    Object.assign(this, { video, canvas, ask, stream: null });
  }

  get running() {
    return this.stream !== null;
  }

  // Raises what getUserMedia raises.
  async start() {
    const wanted = { video: { facingMode: "user", width: { ideal: 1280 } }, audio: false };
    this.stream = await navigator.mediaDevices.getUserMedia(wanted);
    const mine = this.stream;
    this.video.srcObject = mine;
    await this.video.play();
    this.#go(mine);
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = this.video.srcObject = null;
  }

  async #go(mine) {
    while (this.stream === mine) {
      if (document.hidden || !this.video.videoWidth) {
        await sleep(PAUSE);
        continue;
      }
      const had = await this.ask(await this.#frame());
      await sleep(had ? FRAME_PAUSE : PAUSE_WHEN_BUSY);
    }
  }

  #frame() {
    const { videoWidth: width, videoHeight: height } = this.video, scale = Math.min(1, LONGEST / Math.max(width, height));
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.getContext("2d", { willReadFrequently: true }).drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    return photoFromCanvas(this.canvas);
  }
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
