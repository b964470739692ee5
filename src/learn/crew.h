/* Inside of a rollout: one worker's slots, each an episode in progress, and the queues of symbols that their contexts still owe
 * the models. Private to rollout.c and crew.c. */
#ifndef MN_CREW_H
#define MN_CREW_H

#include "learn/rollout.h"
#include "world/chat.h"

/* One model's view of an episode: its session, and symbols (labels, the other model's lines) not yet appended to it. They go in
 * one a decode, so that every decode has one symbol of every episode. */
typedef struct mn_lane {
    mn_session *session;
    int32_t *queue;
    size_t n, at, cap;
} mn_lane;

/* What all episodes have in common, computed. */
typedef struct mn_root {
    mn_session *session;
    bool whole;    /* they all open alike: the session lacks only */
    int32_t last;  /* this symbol of the opening */
} mn_root;

typedef struct mn_slot {
    bool busy;
    size_t index;       /* of the episode in the job */
    mn_chat chat;
    mn_lane lanes[2];
    size_t turn_from;   /* where in chat.text the other model's share of the present turn begins */
    double remaining;   /* nats */
    long double spent;
} mn_slot;

/* Episodes that one worker plays at once: more bring little speed and much memory. */
enum { MN_MAX_SLOTS = 64 };

/* One thread's place. */
typedef struct mn_hand {
    const mn_setup *setup;
    size_t lanes;            /* 1 or 2 models that speak */
    mn_worker *workers[2];
    mn_root roots[2];        /* what episodes are forked from */
    mn_scorer *scorer;       /* NULL: rewards come from the scripts */
    mn_slot *slots;          /* [n_slots] */
    size_t n_slots;
    mn_session **batch;      /* [n_slots] to advance together */
    double *lp;              /* [A] of either model */
    float *raw, *x, *actor;  /* [raw features], [F], [E+2] */
    int32_t *ids;            /* [M] */
    double *lp_cells, *scores, *lp_policy; /* [M+1] */
    size_t decoded;          /* symbols computed in this play */
} mn_hand;

struct mn_crew {
    const mn_setup *setup;
    mn_hand *hands; /* [threads] */
    size_t threads;
};

/* Appends the symbols of a text to a lane's queue. */
MN_CHECKED mn_status mn_lane_feed(mn_lane *lane, const mn_model *model, const char *text, size_t len, mn_err *err);
/* The symbols of an opening and its first label. */
MN_CHECKED mn_status mn_lane_open(mn_lane *lane, const mn_setup *setup, const mn_model *model, const mn_opening *opening, mn_err *err);
MN_CHECKED mn_status mn_lane_push(mn_lane *lane, int32_t id, mn_err *err);

#endif
