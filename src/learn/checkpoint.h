/* The state of training between two steps as one file: heads, optimiser, standardisation, and how long the logs were. The same
 * format without the optimiser keeps the heads that played a logged step. Checksummed; for the machine that wrote it (native
 * byte order and floats). */
#ifndef MN_CHECKPOINT_H
#define MN_CHECKPOINT_H

#include "learn/trainer.h"

typedef struct mn_checkpoint {
    uint64_t step;       /* trainer->step: the next one */
    uint64_t lengths[2]; /* bytes of steps.jsonl and episodes.jsonl at that time */
} mn_checkpoint;

/* All of a trainer's state, to path at once (mn_file_write_atomic). MN_ERR_IO, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_checkpoint_save(const char *path, const mn_trainer *trainer, const uint64_t lengths[2], mn_err *err);
/* Back into a trainer opened with the same settings. MN_ERR_INPUT where the file is damaged or of another shape; then the trainer
 * is as it was. */
MN_CHECKED mn_status mn_checkpoint_load(mn_checkpoint *out, mn_trainer *trainer, const char *path, mn_err *err);

/* The heads that played the trainer's last step, with the standardisation they played under. */
MN_CHECKED mn_status mn_checkpoint_save_played(const char *path, const mn_trainer *trainer, mn_err *err);
MN_CHECKED mn_status mn_checkpoint_load_played(mn_heads *heads, mn_features *features, const char *path, mn_err *err);

#endif
