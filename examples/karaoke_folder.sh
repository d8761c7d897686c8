#!/bin/sh
# Make an MP3 karaoke track, with a quiet guide vocal, of every song in a folder and its subfolders.
#
#     sh examples/karaoke_folder.sh SONGS KARAOKE
#
# Run it again after adding songs: what is there already is passed over.
exec vocalsep karaoke "$1" --recursive --out "$2" --vocals=-18 --format mp3 --bitrate 256k --skip-existing
