"$SLUICE" doctor
"$SLUICE" doctor -o json | grep -c '"status":"fail"'
exit 0
