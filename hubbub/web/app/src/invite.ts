// Where this page is to join, and with which token.

export interface Invite {
  room: string;
  name: string;
  /** From the URL's fragment; null where the server is to be asked for one (dev mode). */
  token: string | null;
}

/** Reads `?room=&name=` and `#token=`; a token's own room and name win. */
export function readInvite(at: Location = location): Invite {
  const query = new URLSearchParams(at.search);
  const token = new URLSearchParams(at.hash.slice(1)).get("token");
  const claims = token ? claimsOf(token) : {};
  return {
    room: claims.video?.room ?? query.get("room") ?? "",
    name: claims.name ?? claims.sub ?? query.get("name") ?? "",
    token,
  };
}

interface Claims {
  sub?: string;
  name?: string;
  video?: { room?: string };
}

/** What a token says, for showing only: the server checks it. */
function claimsOf(token: string): Claims {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
  } catch {
    return {};
  }
}

/** The server's signalling address: where this page came from. */
export function serverUrl(at: Location = location): string {
  const folder = at.pathname.slice(0, at.pathname.lastIndexOf("/"));
  return `${at.protocol === "https:" ? "wss" : "ws"}://${at.host}${folder}`;
}

/** A link that brings somebody else here. */
export function linkTo(room: string, at: Location = location): string {
  return `${at.origin}${at.pathname}?room=${encodeURIComponent(room)}`;
}

/** Nobody who called themselves the same is put out by this one. */
export function newIdentity(name: string): string {
  const plain = name.normalize("NFKD").replaceAll(/[^\p{L}\p{N}]+/gu, "-").toLowerCase().slice(0, 40);
  const random = crypto.getRandomValues(new Uint32Array(1))[0].toString(36).padStart(7, "0");
  return `${plain || "guest"}-${random}`;
}

export class NoTokenError extends Error {}

/** Asks the server for a token. Only one in dev mode gives any. */
export async function fetchToken(room: string, name: string): Promise<string> {
  const query = new URLSearchParams({ room, name, identity: newIdentity(name) });
  const answer = await fetch(`dev/token?${query}`);
  if (answer.ok) return ((await answer.json()) as { token: string }).token;
  if (answer.status === 403 || answer.status === 404) {
    throw new NoTokenError("You need an invitation link to join on this server. Ask your host for one.");
  }
  throw new Error(await answer.text());
}
