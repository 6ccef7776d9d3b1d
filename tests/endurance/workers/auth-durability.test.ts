import test from 'brittle'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { Cleanup } from '../../helpers/cleanup.js'
import { KilledAuth } from '../../helpers/processes/killed-auth.js'
import { scaled } from '../../helpers/scale.js'
import { SeededRandom } from '../../helpers/seeded-random.js'
import { PowerCut, powerTest } from '../../helpers/storage/power-cut.js'

/** An even number: half of them in each of two homes. */
const KILLS = 2 * scaled(50)
const CUTS = scaled(40)
const clock = new SystemClock()

/** Lives that end after a few acknowledgements each, in the middle of other registrations. */
async function liveAndDie(
  auth: KilledAuth,
  deaths: number,
  afterDeath: () => Promise<void>,
  seed = deaths,
): Promise<string> {
  const random = new SeededRandom(seed)
  const startedAt = clock.monotonic()
  for (let death = 0; death < deaths; death += 1) {
    await auth.live(1 + random.below(2), random.below(40))
    await afterDeath()
  }
  const seconds = ((clock.monotonic() - startedAt) / 1000).toFixed(1)
  return `${auth.acknowledged.size} acknowledged, ${auth.cutOff} cut off, ${seconds} s`
}

test('should know every acknowledged user when auth was killed again and again under load', async (t) => {
  t.timeout(scaled(2_800_000))
  const cleanup = new Cleanup(t)
  // Two homes at once: one would leave a core idle.
  const auths = await Promise.all([KilledAuth.create(cleanup), KilledAuth.create(cleanup)])
  await Promise.all(
    auths.map(async (auth, index) => {
      t.comment(await liveAndDie(auth, KILLS / 2, async () => {}, index + 1))
      const emails = [...auth.acknowledged.keys()]
      t.ok(emails.length >= KILLS / 2)
      t.ok(auth.cutOff >= KILLS / 2, 'it was killed under load')
      await auth.logIn(emails.filter((_, one) => one % Math.ceil(emails.length / 20) === 0))
      t.alike(await auth.lost(), [], 'nobody is lost')
    }),
  )
})

powerTest('should know every acknowledged user when the power was cut under load', async (t) => {
  t.timeout(scaled(2_800_000))
  const cleanup = new Cleanup(t)
  const auth = await KilledAuth.create(cleanup)
  const power = await PowerCut.of(auth.folder, cleanup)
  auth.environment = power.environment
  const random = new SeededRandom(7)
  let cuts = 0
  const summary = await liveAndDie(auth, CUTS, async () => {
    cuts += 1
    // In turns nothing that was not synced reached the disk, and some of it.
    await power.cut(cuts % 2 === 0 ? random : undefined)
    t.alike(await auth.lost(), [], 'nobody is lost')
  })
  t.comment(summary)
  t.ok(auth.acknowledged.size >= CUTS)
})
