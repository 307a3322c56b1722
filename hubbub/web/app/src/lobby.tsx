// Before the call: who you are, where to, and what the others will see and hear.
import {
  createAudioAnalyser,
  createLocalAudioTrack,
  createLocalVideoTrack,
  type LocalAudioTrack,
  type LocalVideoTrack,
  Room,
} from "livekit-client";
import { useEffect, useRef, useState } from "preact/hooks";
import { CameraIcon, CameraOffIcon, MicIcon, MicOffIcon } from "./icons";
import type { Invite } from "./invite";
import { Video } from "./media";
import { Initials } from "./tile";
import { deviceFailure } from "./words";

export interface Wish {
  room: string;
  name: string;
  camera: LocalVideoTrack | null;
  microphone: LocalAudioTrack | null;
}

interface Props {
  invite: Invite;
  busy: boolean;
  failure: string;
  join: (wish: Wish) => void;
}

export function Lobby({ invite, busy, failure, join }: Props) {
  const [room, setRoom] = useState(invite.room);
  const [name, setName] = useState(invite.name || remembered());
  const camera = useDevice("camera", (deviceId) => createLocalVideoTrack({ deviceId }));
  const microphone = useDevice("microphone", (deviceId) => createLocalAudioTrack({ deviceId }));
  const fixed = invite.token !== null;
  const submit = (event: Event) => {
    event.preventDefault();
    remember(name.trim());
    join({ room: room.trim(), name: name.trim(), camera: camera.handOver(), microphone: microphone.handOver() });
  };
  return (
    <main class="lobby">
      <section class="preview" aria-label="Your preview">
        <div class="tile">
          {camera.track ? (
            <Video track={camera.track} label="Your camera" mirrored />
          ) : (
            <Initials name={name || "?"} />
          )}
          <div class="overlay">
            <RoundToggle device={microphone} name="microphone" on={<MicIcon />} off={<MicOffIcon />} />
            <RoundToggle device={camera} name="camera" on={<CameraIcon />} off={<CameraOffIcon />} />
          </div>
        </div>
        {microphone.track && <Level track={microphone.track} />}
        {[microphone.problem, camera.problem].filter(Boolean).map((problem) => (
          <p key={problem} class="problem">{problem}</p>
        ))}
      </section>
      <form class="entrance" onSubmit={submit}>
        <h1>
          <img src="assets/icon.svg" alt="" width="36" height="36" /> Hubbub
        </h1>
        <label>
          Your name
          <input value={name} required maxLength={80} autocomplete="name" disabled={fixed} autofocus={!fixed && !name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label>
          Room
          <input value={room} required maxLength={80} autocomplete="off" disabled={fixed} onInput={(event) => setRoom(event.currentTarget.value)} />
        </label>
        <Choice label="Microphone" kind="audioinput" device={microphone} />
        <Choice label="Camera" kind="videoinput" device={camera} />
        {failure && <p class="problem" role="alert">{failure}</p>}
        <button type="submit" class="primary" disabled={busy || !name.trim() || !room.trim()}>
          {busy ? "Joining…" : "Join"}
        </button>
      </form>
    </main>
  );
}

interface Device<T> {
  track: T | null;
  wanted: boolean;
  problem: string;
  deviceId: string | undefined;
  toggle: () => void;
  choose: (deviceId: string) => void;
  /** The running track, which from now on belongs to the caller. */
  handOver: () => T | null;
}

function useDevice<T extends LocalAudioTrack | LocalVideoTrack>(
  name: "camera" | "microphone",
  open: (deviceId: string | undefined) => Promise<T>,
): Device<T> {
  const [wanted, setWanted] = useState(true);
  const [deviceId, choose] = useState<string>();
  const [track, setTrack] = useState<T | null>(null);
  const [problem, setProblem] = useState("");
  const owned = useRef<T | null>(null);
  useEffect(() => {
    if (!wanted) return undefined;
    let current = true;
    open(deviceId).then(
      (opened) => {
        if (!current) return opened.stop();
        owned.current = opened;
        setTrack(opened);
        setProblem("");
      },
      (error: unknown) => {
        if (!current) return;
        setProblem(deviceFailure(name, error));
        setWanted(false);
      },
    );
    return () => {
      current = false;
      owned.current?.stop();
      owned.current = null;
      setTrack(null);
    };
  }, [wanted, deviceId]);
  const handOver = () => {
    const running = owned.current;
    owned.current = null;
    return running;
  };
  return { track, wanted, problem, deviceId, toggle: () => setWanted(!wanted), choose, handOver };
}

function RoundToggle(props: {
  device: Device<unknown>;
  name: string;
  on: preact.ComponentChildren;
  off: preact.ComponentChildren;
}) {
  const { wanted, toggle } = props.device;
  const label = `Turn ${props.name} ${wanted ? "off" : "on"}`;
  return (
    <button type="button" class={wanted ? "round" : "round off"} aria-label={label} title={label} onClick={toggle}>
      {wanted ? props.on : props.off}
    </button>
  );
}

/** A choice of devices, where there is one. */
function Choice(props: { label: string; kind: MediaDeviceKind; device: Device<unknown> }) {
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  const open = props.device.track !== null;
  useEffect(() => {
    // Names are only told once a device of the kind is open.
    if (open) Room.getLocalDevices(props.kind, false).then(setDevices, () => setDevices([]));
  }, [open]);
  if (devices.length < 2) return null;
  return (
    <label>
      {props.label}
      <select value={props.device.deviceId ?? devices[0].deviceId} onChange={(event) => props.device.choose(event.currentTarget.value)}>
        {devices.map((device) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || props.label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Moves with one's voice. */
function Level({ track }: { track: LocalAudioTrack }) {
  const bar = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const { calculateVolume, cleanup } = createAudioAnalyser(track, { smoothingTimeConstant: 0.6 });
    const timer = setInterval(() => {
      const level = Math.min(1, calculateVolume() * 1.6);
      bar.current?.style.setProperty("transform", `scaleX(${level})`);
    }, 80);
    return () => {
      clearInterval(timer);
      void cleanup();
    };
  }, [track]);
  return (
    <div class="level" role="presentation">
      <span ref={bar} />
    </div>
  );
}

const NAME_KEY = "hubbub.name";

function remembered(): string {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(name: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}
