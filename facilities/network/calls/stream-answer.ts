/**
 * An answer as its caller reads it. Nothing is sent before it is read. A reader that stops reading stops the sender
 * as soon as its credit is spent. `return` cancels the stream.
 *
 * Reading throws what the other end failed with; PEER_LOST; PROTOCOL_VIOLATION; PAYLOAD_TOO_LARGE; DEADLINE_EXCEEDED;
 * DRAINING; or the reason of the aborted signal.
 */
export interface StreamAnswer<Item, End, Head> extends AsyncGenerator<Item, End, void> {
  /**
   * Waits until the answer begins. A failure before that is one without any part of an answer.
   *
   * @returns what the answer begins with. Undefined for a method without a head, whose answer begins with its first
   *   chunk, or its end
   * @throws StarlingError as reading
   */
  head(): Promise<Head>
}
