// Who is here, and how they are.
import { ConnectionQuality, type Participant, type Room } from "livekit-client";
import { CameraIcon, CameraOffIcon, MicIcon, MicOffIcon } from "./icons";
import { everybody, isMuted, nameOf } from "./room";
import { Initials, Quality } from "./tile";

export function People({ room }: { room: Room }) {
  return (
    <ul class="people">
      {everybody(room).map((participant) => (
        <Person key={participant.identity} participant={participant} />
      ))}
    </ul>
  );
}

function Person({ participant }: { participant: Participant }) {
  const muted = isMuted(participant);
  const quality = participant.connectionQuality;
  return (
    <li class={participant.isSpeaking ? "speaking" : ""}>
      <Initials name={nameOf(participant)} />
      <span class="name">{nameOf(participant)}</span>
      {participant.isLocal && <span class="you">you</span>}
      {quality !== ConnectionQuality.Unknown && <Quality quality={quality} />}
      <span class={muted ? "off" : "on"} title={muted ? "Muted" : participant.isSpeaking ? "Speaking" : "Not muted"}>
        {muted ? <MicOffIcon /> : <MicIcon />}
        <span class="unseen">{muted ? "muted" : participant.isSpeaking ? "speaking" : ""}</span>
      </span>
      <span class={participant.isCameraEnabled ? "on" : "off"} title={participant.isCameraEnabled ? "Camera on" : "Camera off"}>
        {participant.isCameraEnabled ? <CameraIcon /> : <CameraOffIcon />}
      </span>
    </li>
  );
}
