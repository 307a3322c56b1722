// One livekit-client room for the tests to steer: `peer`. What the room tells is kept in `peer.events` as plain data.
"use strict";

const { ConnectionState, ExternalE2EEKeyProvider, Room, RoomEvent, Track } = LivekitClient;
const E2EE_WORKER = "node_modules/livekit-client/dist/livekit-client.e2ee.worker.js";
const UNINTERESTING = [RoomEvent.LocalAudioSilenceDetected, RoomEvent.MetricsReceived];

// What of an event's arguments the tests can be told.
function plain(value) {
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if ("identity" in value) return { identity: value.identity, sid: value.sid };
  if ("trackSid" in value) return { sid: value.trackSid, kind: value.kind, source: value.source, muted: value.isMuted };
  if ("sid" in value) return { sid: value.sid, kind: value.kind };
  if (value instanceof Error) return value.message;
  return null;
}

// A grey picture with a bar that moves in its lower third, as a track.
function film({ width, height, fps, shade }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  const grey = (level) => `rgb(${level}, ${level}, ${level})`;
  let left = 0;
  const draw = () => {
    context.fillStyle = grey(shade);
    context.fillRect(0, 0, width, height);
    context.fillStyle = grey(255 - shade);
    context.fillRect(left, (height * 2) / 3, width / 8, height / 3);
    left = (left + width / 16) % width;
  };
  draw();
  setInterval(draw, 1000 / fps);
  return canvas.captureStream(fps).getVideoTracks()[0];
}

class Peer {
  constructor() {
    this.events = [];
    this.texts = [];
    this.audio = new AudioContext();
    this.ears = new Map(); // track sid -> AnalyserNode
    this.pictures = new Map(); // track sid -> <video>
    this.connections = []; // every RTCPeerConnection made
    const peer = this;
    window.RTCPeerConnection = class extends window.RTCPeerConnection {
      constructor(...args) {
        super(...args);
        peer.connections.push(this);
      }
    };
  }

  async connect(url, token, { encryptionKey, ...options }) {
    if (encryptionKey) {
      const keyProvider = new ExternalE2EEKeyProvider();
      options.encryption = { keyProvider, worker: new Worker(E2EE_WORKER) };
      await keyProvider.setKey(encryptionKey);
    }
    const room = (this.room = new Room(options));
    if (encryptionKey) await room.setE2EEEnabled(true);
    for (const name of Object.values(RoomEvent)) {
      if (!UNINTERESTING.includes(name)) room.on(name, (...args) => this.events.push([name, args.map(plain)]));
    }
    room.on(RoomEvent.TrackSubscribed, (track) => this.receive(track));
    room.registerTextStreamHandler("chat", async (reader, { identity }) =>
      this.texts.push([identity, await reader.readAll()]),
    );
    room.localParticipant.registerRpcMethod("echo", async ({ callerIdentity, payload }) => `${callerIdentity}: ${payload}`);
    await room.connect(url, token);
    return room.localParticipant.sid;
  }

  get me() {
    return this.room.localParticipant;
  }

  disconnect() {
    return this.room?.disconnect();
  }

  // --- sending

  async publishVideo({ width, height, fps, shade, ...options }) {
    const publication = await this.me.publishTrack(film({ width, height, fps, shade }), options);
    return publication.trackSid;
  }

  async publishTone(frequency, options) {
    const output = this.audio.createMediaStreamDestination();
    const tone = new OscillatorNode(this.audio, { frequency });
    tone.connect(new GainNode(this.audio, { gain: 0.25 })).connect(output);
    tone.start();
    const publication = await this.me.publishTrack(output.stream.getAudioTracks()[0], options);
    return publication.trackSid;
  }

  // The layers of a published video: rid -> frames encoded so far.
  async sent(sid) {
    const layers = {};
    for (const stats of (await this.mine(sid).track.sender.getStats()).values()) {
      if (stats.type === "outbound-rtp") layers[stats.rid] = stats.framesEncoded;
    }
    return layers;
  }

  mine(sid) {
    return this.me.getTrackPublications().find((publication) => publication.trackSid === sid);
  }

  mute(sid) {
    return this.mine(sid).mute().then(() => true);
  }

  unmute(sid) {
    return this.mine(sid).unmute().then(() => true);
  }

  unpublish(sid) {
    return this.me.unpublishTrack(this.mine(sid).track).then(() => true);
  }

  publishData(text, options) {
    return this.me.publishData(new TextEncoder().encode(text), options);
  }

  sendText(text, options) {
    return this.me.sendText(text, options).then(() => true);
  }

  performRpc(call) {
    return this.me.performRpc(call);
  }

  setAttributes(attributes) {
    return this.me.setAttributes(attributes);
  }

  simulate(scenario) {
    return this.room.simulateScenario(scenario);
  }

  // --- receiving

  receive(track) {
    const element = track.attach();
    document.body.append(element);
    if (track.kind === Track.Kind.Video) {
      this.pictures.set(track.sid, element);
    } else {
      const ear = new AnalyserNode(this.audio, { fftSize: 16384, smoothingTimeConstant: 0 });
      this.audio.createMediaStreamSource(new MediaStream([track.mediaStreamTrack])).connect(ear);
      this.ears.set(track.sid, ear);
    }
  }

  publication(identity, source) {
    return this.room.getParticipantByIdentity(identity)?.getTrackPublication(source);
  }

  others() {
    const told = ({ identity, sid, attributes, isActive }) => ({ identity, sid, attributes, active: isActive });
    return [...this.room.remoteParticipants.values()].map(told);
  }

  setSubscribed(identity, source, subscribed) {
    this.publication(identity, source).setSubscribed(subscribed);
  }

  setEnabled(identity, source, enabled) {
    this.publication(identity, source).setEnabled(enabled);
  }

  setVideoQuality(identity, source, quality) {
    this.publication(identity, source).setVideoQuality(quality);
  }

  setVideoDimensions(identity, source, width, height) {
    this.publication(identity, source).setVideoDimensions({ width, height });
  }

  // What is seen of a track: decoded frames, their size, codec and shade. Null while it isn't subscribed.
  async video(identity, source) {
    const track = this.publication(identity, source)?.track;
    const element = track && this.pictures.get(track.sid);
    const stats = [...((await track?.getRTCStatsReport()) ?? []).values()];
    const inbound = stats.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    if (!element || !inbound || !element.videoWidth) return null;
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.drawImage(element, element.videoWidth / 4, element.videoHeight / 4, 1, 1, 0, 0, 1, 1);
    return {
      frames: inbound.framesDecoded ?? 0,
      size: [inbound.frameWidth, inbound.frameHeight],
      shade: context.getImageData(0, 0, 1, 1).data[1],
      codec: stats.find(({ id }) => id === inbound.codecId)?.mimeType,
    };
  }

  // The strongest frequency of a subscribed audio track, 0 in silence.
  tone(identity, source) {
    const ear = this.ears.get(this.publication(identity, source)?.track?.sid);
    if (!ear) return 0;
    const decibels = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(decibels);
    const loudest = decibels.reduce((best, level, bin) => (level > decibels[best] ? bin : best), 0);
    return decibels[loudest] < -60 ? 0 : (loudest * this.audio.sampleRate) / ear.fftSize;
  }

  // Protocols (udp, tcp) of the candidate pairs that live connections have selected.
  async protocols() {
    const found = [];
    for (const connection of this.connections.filter(({ connectionState }) => connectionState === "connected")) {
      const stats = await connection.getStats();
      for (const { type, selectedCandidatePairId } of stats.values()) {
        const pair = type === "transport" && stats.get(selectedCandidatePairId);
        if (pair) found.push(stats.get(pair.remoteCandidateId).protocol);
      }
    }
    return found;
  }

  // What congestion control thinks may be sent, in bit/s.
  async bandwidth() {
    let found = 0;
    for (const connection of this.connections.filter(({ connectionState }) => connectionState === "connected")) {
      for (const { availableOutgoingBitrate } of (await connection.getStats()).values()) {
        found = Math.max(found, availableOutgoingBitrate ?? 0);
      }
    }
    return found;
  }

  // RTCPeerConnections in use: one with a single peer connection, else two.
  connected() {
    return this.connections.filter(({ connectionState }) => connectionState === "connected").length;
  }

  state() {
    return this.room.state;
  }
}

window.peer = new Peer();
