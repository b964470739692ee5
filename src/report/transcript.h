/* Transcripts on the page: two columns of episodes, tokens coloured by what they cost. */
#ifndef MN_TRANSCRIPT_H
#define MN_TRANSCRIPT_H

#include "report/html.h"
#include "report/results.h"

/* The class q1 .. q6 that colours what cost so much; 0: none. */
int mn_transcript_class(double nats);
/* The colours' legend: classes of nats a token. */
void mn_transcript_legend(mn_html *html);
/* Episodes from .. to - 1 of step 0 beside those of the last logged step; where one side has fewer, its place stays empty. */
void mn_transcript_pairs(mn_html *html, const mn_result *result, size_t from, size_t to);

#endif
