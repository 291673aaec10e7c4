# Lines "run|plan NETWORK RATE PERCENT POLICY SINGLE_NS LATER_NS" -> a table of medians in ms, auto's
# distance from the best other policy (target: 2 % or 3 ms), how many predictions are within 10 %, and,
# to judge these by, how many single measurements are so near to the other rounds of their own cell.
# -v lost=FILE: gets a line "NETWORK RATE PERCENT single|later BEST_POLICY" for each cell that auto lost.
function median(list,    count, values, i, j, t) {
    count = split(list, values, " ")
    for (i = 2; i <= count; i++)
        for (j = i; j > 1 && values[j] + 0 < values[j - 1] + 0; j--) {
            t = values[j]; values[j] = values[j - 1]; values[j - 1] = t
        }
    return (values[int((count + 1) / 2)] + values[int(count / 2) + 1]) / 2
}
function near(guess, time) {
    return (guess > time ? guess / time - 1 : 1 - guess / time) <= 0.10
}
# Every sample against the median of the others of its cell.
function repeat(list,    count, values, i, j, others) {
    count = split(list, values, " ")
    if (count < 3) return
    for (i = 1; i <= count; i++) {
        others = ""
        for (j = 1; j <= count; j++) if (j != i) others = others " " values[j]
        repeated++
        repeated_near += near(median(others), values[i])
    }
}
function ms(ns) {
    return ns >= 1e9 ? sprintf("%.0f", ns / 1e6) : sprintf("%.1f", ns / 1e6)
}
$2 != "" {
    cell = $2 " " $3 " " $4
    if (!(cell in cells)) { cells[cell] = 1; order[++count] = cell }
    if (!($5 in known)) { known[$5] = 1; policy[++policies] = $5 }
    for (phase = 1; phase <= 2; phase++)
        if ($(5 + phase) != "" && $(5 + phase) != "-")
            samples[$1, cell, $5, phase] = samples[$1, cell, $5, phase] " " $(5 + phase)
}
END {
    printf "" >lost
    line = "| network, rate, limit | request |"
    rule = "|---|---|"
    for (p = 1; p <= policies; p++) { line = line " " policy[p] " |"; rule = rule "---|" }
    print line " auto over best | |"
    print rule "---|---|"
    for (c = 1; c <= count; c++)
        for (phase = 1; phase <= 2; phase++) {
            line = "| " order[c] " | " (phase == 1 ? "single" : "later") " |"
            best = 0; own = 0; best_policy = ""
            for (p = 1; p <= policies; p++) {
                time = median(samples["run", order[c], policy[p], phase])
                line = line " " (time ? ms(time) : "oom") " |"
                if (policy[p] == "auto") own = time
                else if (time && (!best || time < best)) { best = time; best_policy = policy[p] }
                predicted = median(samples["plan", order[c], policy[p], phase])
                if (time && predicted) {
                    predictions++
                    close_ones += near(predicted, time)
                    repeat(samples["run", order[c], policy[p], phase])
                }
            }
            is_lost = (!own || (best && own > best * 1.02 && own > best + 3e6))
            judged++; losses += is_lost
            if (is_lost && best) print order[c], (phase == 1 ? "single" : "later"), best_policy >lost
            print line " " (own && best ? sprintf("%.3f", own / best) : "-") " | " (is_lost ? "LOST" : "ok") " |"
        }
    printf "auto loses %d of %d cells: %s\n", losses, judged, (losses ? "MISSED" : "ok")
    if (predictions)
        printf "predictions within 10 %%: %d of %d (%.0f %%), target 90 %%: %s\n", close_ones, predictions,
            100 * close_ones / predictions, (close_ones >= 0.9 * predictions ? "ok" : "MISSED")
    if (repeated)
        printf "measured again within 10 %% of the median of the other rounds: %d of %d (%.0f %%)\n",
            repeated_near, repeated, 100 * repeated_near / repeated
}
