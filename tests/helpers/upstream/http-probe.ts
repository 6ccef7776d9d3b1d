import { setTimeout as sleep } from 'node:timers/promises'

/** The answer on a port of 127.0.0.1; status 0 when nothing listens there. */
export async function ask(port: number, path: string): Promise<{ status: number; body: string }> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: response.status, body: await response.text() }
  } catch {
    // Refused, or closed before the end: nothing listens yet, or no longer.
    return { status: 0, body: '' }
  }
}

/** A worker's health in short: `503 AUTH_UNAVAILABLE MODEL_UNAVAILABLE`, `200`. */
export async function readiness(port: number): Promise<string> {
  const { status, body } = await ask(port, '/readyz')
  if (status === 0) return 'nobody there'
  const { reasons } = JSON.parse(body) as { reasons: { code: string }[] }
  return [status, ...new Set(reasons.map(({ code }) => code))].join(' ')
}

/** Waits until a worker reports that health, and throws the last report when it never does. */
export async function becomes(port: number, expected: string, timeoutMs = 10_000): Promise<void> {
  const endsAt = performance.now() + timeoutMs
  for (;;) {
    const said = await readiness(port)
    if (said === expected) return
    if (performance.now() > endsAt) throw new Error(`Expected ${expected}, and it says ${said}`)
    await sleep(5)
  }
}

/** The samples of a scrape: metric with labels, and value. */
export async function scrape(port: number): Promise<ReadonlyMap<string, number>> {
  const { body } = await ask(port, '/metrics')
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}
