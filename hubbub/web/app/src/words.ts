// What went wrong, in words for the person in front of the screen.
import { ConnectionError, ConnectionErrorReason, DisconnectReason } from "livekit-client";
import { NoTokenError } from "./invite";

/** A title and what to do about it. */
export interface Notice {
  title: string;
  text: string;
}

/** Why joining failed. */
export function joinFailure(error: unknown): Notice {
  const title = "You could not join";
  if (error instanceof NoTokenError) return { title, text: error.message };
  if (error instanceof ConnectionError) {
    switch (error.reason) {
      case ConnectionErrorReason.NotAllowed:
        return /does not exist/.test(error.message)
          ? { title, text: "There is no such room." }
          : { title, text: "Your invitation is not valid, or it has expired. Ask your host for a new link." };
      case ConnectionErrorReason.ServerUnreachable:
      case ConnectionErrorReason.WebSocket:
      case ConnectionErrorReason.Timeout:
        return { title, text: "The server does not answer. Check your connection and try again." };
      case ConnectionErrorReason.Cancelled:
        return { title, text: "Joining was cancelled." };
    }
    if (/full/.test(error.message)) return { title, text: "The room is full." };
  }
  if (error instanceof TypeError) {
    return { title, text: "The server does not answer. Check your connection and try again." };
  }
  return { title, text: `Something went wrong: ${messageOf(error)}` };
}

/** Why a call ended, or null if the person left. */
export function callEnded(reason: DisconnectReason | undefined): Notice | null {
  const title = "The call is over for you";
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return null;
    case DisconnectReason.DUPLICATE_IDENTITY:
      return { title, text: "You joined again with the same invitation in another window." };
    case DisconnectReason.PARTICIPANT_REMOVED:
      return { title, text: "The host removed you from the room." };
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return { title: "The call is over", text: "The host closed the room." };
    case DisconnectReason.SERVER_SHUTDOWN:
      return { title, text: "The server is being restarted. Try again in a moment." };
    case DisconnectReason.JOIN_FAILURE:
    case DisconnectReason.CONNECTION_TIMEOUT:
    case DisconnectReason.MEDIA_FAILURE:
      return {
        title,
        text: "Sound and video could not reach the server. A firewall may be in the way.",
      };
    default:
      return { title, text: "The connection to the server was lost." };
  }
}

/** Why a camera, microphone or screen can't be used. */
export function deviceFailure(device: "camera" | "microphone" | "screen", error: unknown): string {
  if (!window.isSecureContext) {
    return `Browsers allow the ${device} on https:// and localhost only.`;
  }
  switch (error instanceof Error ? error.name : "") {
    case "NotAllowedError":
      return `The browser may not use your ${device}. Allow it in the address bar.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${device} was found.`;
    case "NotReadableError":
    case "AbortError":
      return `Your ${device} is in use by another program.`;
    default:
      return `Your ${device} can't be used: ${messageOf(error)}`;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
