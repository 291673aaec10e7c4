# A sweep that is killed again and again ends with the records of one that is not, and leaves nothing.
# The full form: sh scripts/check_resume.sh build
"$SLUICE" doctor | grep -q 'cgroup .*memory yes' || { echo 'no right to limit memory'; exit 77; }
[ "$(id -u)" = 0 ] || { echo 'only root may enable swap'; exit 77; }
SLUICE_CHECK_POLICY=bulk,linear,auto SLUICE_CHECK_DEPTH=1,4 \
    sh "$SLUICE_SOURCE/scripts/check_resume.sh" "$BUILD" 1 7
