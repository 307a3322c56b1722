// Verifies webhooks with livekit-server-sdk: one JSON line {body, authorization} in, one {event} or {error} out.
import { WebhookReceiver } from "livekit-server-sdk";
import { createInterface } from "node:readline";

const [key, secret] = process.argv.slice(2);
const receiver = new WebhookReceiver(key, secret);
for await (const line of createInterface({ input: process.stdin })) {
  const { body, authorization } = JSON.parse(line);
  try {
    const event = await receiver.receive(body, authorization);
    const { room, participant, track } = event;
    console.log(JSON.stringify({
      event: event.event, id: event.id, room: room?.name, participant: participant?.identity, track: track?.sid,
    }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
