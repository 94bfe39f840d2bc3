/** A rule in the words of the README; `rule` is the name that logs and metrics carry. */
export interface RuleText {
  readonly rule: string;
  readonly when: string;
  readonly what: string;
}
