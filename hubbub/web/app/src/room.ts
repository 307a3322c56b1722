// livekit-client's Room as something that Preact components can watch.
import { type Participant, Room, RoomEvent, Track, VideoPresets } from "livekit-client";
import { useEffect, useReducer } from "preact/hooks";

/** Topic of chat lines; LiveKit's own components use the same. */
export const CHAT_TOPIC = "lk.chat";

export function newRoom(): Room {
  return new Room({
    adaptiveStream: true,
    dynacast: true,
    videoCaptureDefaults: { resolution: VideoPresets.h720.resolution },
  });
}

const SHOWN: RoomEvent[] = [
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.TrackStreamStateChanged,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ActiveSpeakersChanged,
  RoomEvent.ConnectionQualityChanged,
  RoomEvent.ConnectionStateChanged,
  RoomEvent.AudioPlaybackStatusChanged,
  RoomEvent.ParticipantPermissionsChanged,
];

/** Draws the component anew whenever something visible in the room changes. */
export function useRoom(room: Room): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const changed = () => redraw(undefined);
    for (const event of SHOWN) room.on(event, changed);
    return () => {
      for (const event of SHOWN) room.off(event, changed);
    };
  }, [room]);
}

/** Everybody, oneself first, the others in the order of their arrival. */
export function everybody(room: Room): Participant[] {
  const others = [...room.remoteParticipants.values()];
  others.sort((a, b) => (a.joinedAt?.getTime() ?? 0) - (b.joinedAt?.getTime() ?? 0));
  return [room.localParticipant, ...others];
}

export function nameOf(participant: Participant): string {
  return participant.name || participant.identity;
}

/** The track to show for a source, if there is one with a picture. */
export function pictureOf(participant: Participant, source: Track.Source): Track | undefined {
  const publication = participant.getTrackPublication(source);
  return publication && !publication.isMuted ? publication.videoTrack : undefined;
}

export function isMuted(participant: Participant): boolean {
  return !participant.isMicrophoneEnabled;
}
