// Elements that play a track.
import type { Track } from "livekit-client";
import { useEffect, useRef } from "preact/hooks";

export function Video(props: { track: Track; label: string; mirrored?: boolean; whole?: boolean }) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => attach(props.track, element.current), [props.track]);
  const classes = `video${props.mirrored ? " mirrored" : ""}${props.whole ? " whole" : ""}`;
  return <video ref={element} class={classes} aria-label={props.label} autoplay playsInline muted />;
}

export function Audio(props: { track: Track }) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => attach(props.track, element.current), [props.track]);
  return <audio ref={element} autoplay />;
}

function attach(track: Track, element: HTMLMediaElement | null): (() => void) | undefined {
  if (!element) return undefined;
  track.attach(element);
  return () => {
    track.detach(element);
  };
}
