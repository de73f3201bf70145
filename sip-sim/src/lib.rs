//! sansip-sim
