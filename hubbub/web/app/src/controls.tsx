// The bar of buttons below the stage.
import type { Room } from "livekit-client";
import type { ComponentChildren } from "preact";
import { CameraIcon, CameraOffIcon, ChatIcon, LeaveIcon, MicIcon, MicOffIcon, PeopleIcon, ScreenIcon } from "./icons";
import { deviceFailure } from "./words";

export type Panel = "chat" | "people" | null;

interface Props {
  room: Room;
  panel: Panel;
  unread: number;
  open: (panel: Panel) => void;
  complain: (text: string) => void;
}

export function Controls({ room, panel, unread, open, complain }: Props) {
  const me = room.localParticipant;
  const mic = me.isMicrophoneEnabled;
  const camera = me.isCameraEnabled;
  const screen = me.isScreenShareEnabled;
  const mayPublish = me.permissions?.canPublish ?? true;
  const attempt = (device: "camera" | "microphone" | "screen", action: Promise<unknown>) => {
    action.catch((error: unknown) => {
      // Closing the browser's own choice of a screen is no failure.
      const cancelled = device === "screen" && error instanceof Error && error.name === "NotAllowedError";
      if (!cancelled) complain(deviceFailure(device, error));
    });
  };
  const canShare = "getDisplayMedia" in (navigator.mediaDevices ?? {});
  return (
    <footer class="controls">
      {mayPublish && (
        <>
          <Toggle on={mic} label={mic ? "Mute" : "Unmute"} press={() => attempt("microphone", me.setMicrophoneEnabled(!mic))}>
            {mic ? <MicIcon /> : <MicOffIcon />}
          </Toggle>
          <Toggle on={camera} label={camera ? "Stop camera" : "Start camera"} press={() => attempt("camera", me.setCameraEnabled(!camera))}>
            {camera ? <CameraIcon /> : <CameraOffIcon />}
          </Toggle>
          {canShare && (
            <button
              type="button"
              class={screen ? "control active" : "control"}
              onClick={() => attempt("screen", me.setScreenShareEnabled(!screen, { audio: true }))}
            >
              <ScreenIcon />
              <span>{screen ? "Stop sharing" : "Share screen"}</span>
            </button>
          )}
        </>
      )}
      <button
        type="button"
        class={panel === "chat" ? "control active" : "control"}
        aria-expanded={panel === "chat"}
        onClick={() => open(panel === "chat" ? null : "chat")}
      >
        <ChatIcon />
        <span>Chat</span>
        {unread > 0 && (
          <span class="badge">
            {unread > 99 ? "99+" : unread}
            <span class="unseen"> unread</span>
          </span>
        )}
      </button>
      <button
        type="button"
        class={panel === "people" ? "control active" : "control"}
        aria-expanded={panel === "people"}
        onClick={() => open(panel === "people" ? null : "people")}
      >
        <PeopleIcon />
        <span>People</span>
      </button>
      <button type="button" class="control leave" onClick={() => void room.disconnect()}>
        <LeaveIcon />
        <span>Leave</span>
      </button>
    </footer>
  );
}

function Toggle(props: { on: boolean; label: string; press: () => void; children: ComponentChildren }) {
  return (
    <button type="button" class={props.on ? "control" : "control off"} onClick={props.press}>
      {props.children}
      <span>{props.label}</span>
    </button>
  );
}
