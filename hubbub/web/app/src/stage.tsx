// Everybody's tiles: a grid, or a shared screen with the people in a strip beside it.
import { type Participant, type Room, Track } from "livekit-client";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Audio } from "./media";
import { everybody, pictureOf } from "./room";
import { CameraTile, ScreenTile } from "./tile";

const GAP = 10;
const RATIO = 16 / 9;

export function Stage({ room }: { room: Room }) {
  const people = everybody(room);
  const screens = people.flatMap((participant) => {
    const track = pictureOf(participant, Track.Source.ScreenShare);
    return track ? [{ participant, track }] : [];
  });
  return (
    <main class="stage">
      {screens.length > 0 ? (
        <div class="featured">
          <div class="screens">
            {screens.map(({ participant, track }) => (
              <ScreenTile key={track.sid} participant={participant} track={track} />
            ))}
          </div>
          <div class="strip">
            {people.map((participant) => (
              <CameraTile key={participant.identity} participant={participant} />
            ))}
          </div>
        </div>
      ) : (
        <Grid people={people} />
      )}
      {people.length === 1 && <p class="alone">Nobody else is here yet.</p>}
      <Sounds room={room} />
    </main>
  );
}

function Grid({ people }: { people: Participant[] }) {
  const element = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setSize(entry.contentRect));
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  const { width, height } = tileSize(people.length, size.width, size.height);
  return (
    <div ref={element} class="grid">
      {people.map((participant) => (
        <div key={participant.identity} class="cell" style={{ width: `${width}px`, height: `${height}px` }}>
          <CameraTile participant={participant} />
        </div>
      ))}
    </div>
  );
}

/** The largest tiles of which `count` fit; on narrow screens they may be taller than 16:9. */
function tileSize(count: number, width: number, height: number): { width: number; height: number } {
  let best = { width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - GAP * (columns - 1)) / columns;
    const cellHeight = (height - GAP * (rows - 1)) / rows;
    const tileWidth = Math.min(cellWidth, cellHeight * RATIO);
    const tileHeight = Math.min(cellHeight, (tileWidth / RATIO) * (width < height ? 1.6 : 1));
    if (tileWidth * tileHeight > best.width * best.height) best = { width: tileWidth, height: tileHeight };
  }
  return { width: Math.max(Math.floor(best.width), 120), height: Math.max(Math.floor(best.height), 68) };
}

/** Plays everything that can be heard. */
function Sounds({ room }: { room: Room }) {
  const tracks = [...room.remoteParticipants.values()].flatMap((participant) =>
    [...participant.audioTrackPublications.values()].flatMap(({ audioTrack }) => (audioTrack ? [audioTrack] : [])),
  );
  return (
    <>
      {tracks.map((track) => (
        <Audio key={track.sid} track={track} />
      ))}
    </>
  );
}
