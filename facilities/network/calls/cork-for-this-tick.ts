import type Protomux from 'protomux'

/** Connections that are corked for this tick. */
const corked = new WeakSet<Protomux>()

/**
 * Collects everything that is written to a connection until the microtasks of this tick are done in one
 * frame. With many calls or streams on one connection that saves an encryption and a packet for most
 * messages; it delays none past the tick.
 *
 * The receiver of a frame with several messages holds its own replies back until the handlers of those
 * messages have settled, unless they are excluded from that: see RpcAdapter.
 */
export function corkForThisTick(mux: Protomux): void {
  if (corked.has(mux)) return
  corked.add(mux)
  mux.cork()
  // Called from a microtask, nextTick runs when the whole microtask queue is empty.
  process.nextTick(() => {
    corked.delete(mux)
    mux.uncork()
  })
}
