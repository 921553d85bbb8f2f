/** The texts of charts. */
export const chartTexts = {
  byDay: 'by day',
  byWeek: 'by week',
  sum: (count: string) => `${count} in all`,
  more: (count: string) => `more than ${count}`,
  day: 'Day',
  week: 'Week from',
  weekOf: (day: string) => `Week from ${day}`,
  highest: (count: string) => `Highest: ${count}`,
  unknown: 'not kept any more',
  none: 'None in this time',
  value: (when: string, count: string, unit: string) => `${when}: ${count} ${unit}`,
  asTable: 'As a table',
} as const;
