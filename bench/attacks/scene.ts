import type { Scene, Stage } from './attack.js'
import { AttackerProcess } from './attacker-process.js'
import type { AttackerName } from './attackers/attackers.js'

/** An attack by an attacker's process, with what honest members do meanwhile. */
export async function sceneWith(
  attacker: AttackerName,
  stage: Stage,
  honest: Scene['honest'],
  more: Pick<Scene, 'atOnce' | 'phaseMs' | 'onPhase'> & { notes?: Scene['notes'] } = {},
): Promise<Scene> {
  const { home, bootstrapPort } = stage.mesh
  const process = await AttackerProcess.open(attacker, { home, bootstrapPort })
  stage.cleanup(() => process.close())
  return {
    ...more,
    honest,
    start: () => process.start(),
    stop: () => process.stop(),
    notes: () => [describe(process.figures), ...(more.notes?.() ?? [])],
  }
}

function describe(figures: Readonly<Record<string, number>>): string {
  const counts = Object.entries(figures).map(([name, count]) => `${Math.round(count)} ${name}`)
  return `the attacker counted ${counts.join(', ') || 'nothing'}`
}
