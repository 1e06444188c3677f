//! A riftsync database, as one trait over all that is asked of it.

use super::{
    BudgetBoard, DataStore, Effect, ExportStore, JobStore, LakeStore, NamesStore, OneMatchStore,
    OpenTree, PeopleStore, ProbeStore, RepackStore, SizesStore, StandingStore, UpkeepStore,
    YearStore,
};

/// A riftsync database: jobs whose effects are League rows, and what is read and kept in order of these.
pub trait Store:
    JobStore<Effect = Effect>
    + DataStore
    + UpkeepStore
    + BudgetBoard
    + PeopleStore
    + ExportStore
    + LakeStore
    + RepackStore
    + StandingStore
    + NamesStore
    + ProbeStore
    + OpenTree
    + SizesStore
    + YearStore
    + OneMatchStore
{
}

impl<S> Store for S where
    S: JobStore<Effect = Effect>
        + DataStore
        + UpkeepStore
        + BudgetBoard
        + PeopleStore
        + ExportStore
        + LakeStore
        + RepackStore
        + StandingStore
        + NamesStore
        + ProbeStore
        + OpenTree
        + SizesStore
        + YearStore
        + OneMatchStore
{
}
