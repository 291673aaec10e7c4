"$SLUICE" list policies
"$SLUICE" list loaders -o csv
"$SLUICE" list topologies -o json | head -n 1
"$SLUICE" list kernels | sed -n '1p; /^Convolution/p'
