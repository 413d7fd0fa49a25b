/*
 * The version of this program.
 */
#ifndef MOONKEEP_VERSION_H
#define MOONKEEP_VERSION_H

#define MOONKEEP_VERSION "0.1.0"

#endif
