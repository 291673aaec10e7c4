# exit: 1
# A photo through the stored preprocessing: the reference's class and probability.
model=$SLUICE_MODELS/caffe/squeezenet_v1.0
[ -d "$model" ] || { echo "no $model (set SLUICE_MODELS)"; exit 77; }
"$SLUICE" import "$model/deploy.prototxt" "$model/model.caffemodel" -o net.sluice \
    --mean 104,117,123 --labels "$SLUICE_MODELS/images/synset.txt" || exit 1
"$SLUICE" run net.sluice --input "$SLUICE_MODELS/images/eagle.jpg" --top 1 -o json |
    grep -o '"digest":"[0-9a-f]*"' >image
"$SLUICE" run net.sluice --input "$SLUICE_MODELS/refs/squeezenet_v1.0/eagle.jpg.input.f32" -o json |
    grep -o '"digest":"[0-9a-f]*"' >values
cmp image values && echo "the image gives the reference's input, bit for bit"
"$SLUICE" run net.sluice --input "$SLUICE_MODELS/images/eagle.jpg" --output out --top 1 | tail -n 1
"$SLUICE" run net.sluice --input "$SLUICE_MODELS/images/eagle.jpg" \
    --input "$SLUICE_MODELS/images/cat.jpg" -o csv --output two | sed 1d | cut -d, -f1-2
ls out two
"$SLUICE" run net.sluice --input out/pool_final.npy 2>&1
