import { abilityChecks } from './ability-checks.js'
import { answerChecks } from './answer-checks.js'
import { endChecks, loadChecks } from './life-checks.js'
import { requestChecks } from './request-checks.js'
import { type ComplianceExpectations, ComplianceSubject, type CreateEngine } from './subject.js'

/**
 * Registers the tests that check an engine against the whole public interface, as tests of the
 * file that calls this. Most share one engine, because loading one may take a second.
 *
 * @param name tells the engines apart in the report
 * @example
 * engineCompliance('scripted', (scope) => new ScriptedEngine(), { kind: 'scripted', … })
 */
export function engineCompliance(
  name: string,
  create: CreateEngine,
  expectations: ComplianceExpectations,
): void {
  const subject = new ComplianceSubject(name, create, expectations)
  loadChecks(subject)
  if (subject.can('chat')) answerChecks(subject)
  abilityChecks(subject)
  requestChecks(subject)
  endChecks(subject)
}
