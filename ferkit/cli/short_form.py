"""What --help says beside the options: what each command does, and examples that work."""

DESCRIPTION = "Facial expression recognition with Deep-Emotion and DAN, on TensorFlow and Keras."
SHORT_FORM = """\
short form:
  python main.py -s True -d data                     dataset on disk from the Kaggle files in data/
  python main.py -t True -d data                     train with the paper's defaults
  python main.py -t True -d data -hparams True --epochs 5 --learning_rate 0.005 --batch_size 32
  python main.py -t True -d data -m dan              train DAN

no Kaggle files at hand? Faces are drawn for you:
  python main.py setup --sample -d data/sample
  python main.py train -d data/sample --recipe input_warp --epochs 10

`python main.py COMMAND --help` shows the options and examples of a command.
"""

EXAMPLES = {
    "setup": """\
examples:
  python main.py setup -d data                       read the Kaggle files in data/, write the dataset there
  python main.py setup -d data --source ~/Downloads/fer2013.csv.zip
  python main.py setup -d data/sample --sample       draw 2,100 faces; nothing to download
  python main.py setup -d data --ferplus fer2013new.csv
  python main.py setup -d data --skip-bad-rows       drop rows that cannot be read, and say how many
  python main.py setup --dataset affectnet --aff_path datasets/AffectNet --classes 7
  python main.py setup --dataset rafdb --raf_path datasets/RAF-DB -d data/rafdb
  python main.py setup --dataset folders --source datasets/CK+ -d data/ck
""",
    "train": """\
examples:
  python main.py train -d data                       Deep-Emotion as in the paper (500 epochs: hours on a CPU)
  python main.py train -d data --recipe input_warp --epochs 30
  python main.py train -d data --recipe paper_best --precision bfloat16      the same net by all that training has come to
  python main.py train -d data --run runs/mine --learning_rate 0.001 --seed 1
  python main.py train --resume --run runs/mine      go on after Ctrl-C, a crash or kill -9
  python main.py train -m dan -d data                DAN on FER2013, small and from scratch
  python main.py train -m dan --dataset affectnet --aff_path datasets/AffectNet/ --epochs 40 --batch_size 128
  python main.py train -m dan -d data --backbone resnet18 --num_heads 2 --partition_weight 0
""",
    "evaluate": """\
examples:
  python main.py evaluate -d data                    the newest run's best model on the validation split
  python main.py evaluate -d data --run runs/mine --split test --tta --json test.json
  python main.py evaluate -d data --checkpoint best.keras --report report
  python main.py evaluate -d data --weights deep_emotion-fer2013 --split test --tta flip --json out.json
  python main.py evaluate -d data --split unlabelled --submission submission.csv
""",
    "verify": """\
examples:
  python main.py verify                              the installation, and a new model of each kind
  python main.py verify -m deep_emotion
  python main.py verify --checkpoint runs/mine/best.keras
""",
    "compare": """\
examples:
  python main.py compare -d data --backbones convnext_atto resnet18 --epochs 5 --seeds 0 1 2
  python main.py compare -d data --ablate heads partition affinity --epochs 5
  python main.py compare -d data --backbones convnext_atto resnet18 --ablate heads --epochs 5 --stem_stride 4
  python main.py compare -d data --models deep_emotion dan --epochs 5
  python main.py compare -d data --folder runs/compare-2026-05-04_12-00-00
                                                     go on after Ctrl-C, a crash or kill -9

Every (contestant, seed) is a run folder within --folder. Flags of the recipe apply to all contestants. --ablate trains the
whole model, the model without each part named, and the bare backbone.
""",
    "predict": """\
examples:
  python main.py predict --image photo.jpg           a line for each face, with the weights that ship
  python main.py predict holiday/ party/*.jpg --csv faces.csv --annotate marked
  python main.py predict talk.mp4 --json talk.json --annotate marked
                                                     a numbered face keeps its number; its probabilities are smoothed and plotted
  python main.py predict --camera 0                  live, a line a second, until Ctrl-C
  python main.py predict crops/ --detector none      photos that are cropped faces already
  python main.py predict photo.jpg --weights runs/mine/best.keras

Exit code 0: everything was read; 1: something was not, and the rest was done; 2: nothing could be done.
""",
    "explain": """\
examples:
  python main.py explain photo.jpg                   explained/photo-explained.png: maps of what speaks for the label
  python main.py explain photo.jpg --class sad       of what speaks for another class
  python main.py explain photo.jpg -m dan            DAN, with a map for each attention head
  python main.py explain -d data --split val --per-class 3
                                                     a gallery of the dataset, and figures that say how far to trust the maps
""",
    "serve": """\
examples:
  python main.py serve                               open http://127.0.0.1:8000: drop a photo, or use the camera
  python main.py serve --port 9000 --weights dan-fer2013
  python main.py serve --host 0.0.0.0 --allow-host faces.example.org
                                                     for other machines; mind who may reach it, there is no password
  curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg http://127.0.0.1:8000/v1/predict
  curl -F file=@face.png 'http://127.0.0.1:8000/v1/explain?detector=none'

Paths: / (page), /docs (the API), /v1/predict, /v1/explain, /v1/models, /healthz, /metrics. No photo is kept.
Needs fastapi, uvicorn, httptools, python-multipart and prometheus-client; a browser's camera needs https or localhost.
""",
    "release": """\
examples:
  python main.py release -d data --run runs/mine --name mine
                                                     released/mine.keras, mine.md (model card) and mine.json (figures)
  python main.py release -d data --checkpoint best.keras --name mine --half False
  python main.py evaluate -d data --checkpoint released/mine.keras

The model is calibrated on the validation split (temperature scaling, folded into its last layer) and stored in half precision.
""",
    "export": """\
examples:
  python main.py export --weights dan-fer2013 --format onnx --output dan.onnx -d data
  python main.py export --weights deep_emotion-fer2013 --format litert --output face.tflite
  python main.py export --weights deep_emotion-fer2013 --format litert-int8 --output face-int8.tflite -d data
  python main.py export --run runs/mine --format savedmodel --output served/1 --force

Input "image": float32 (batch, height, width, channels), pixels 0 to 255, any batch size. Output "probabilities", calibrated as
the weights are. Labels and model card lie in assets.extra/ of a savedmodel, in a zip archive behind the model of a litert file
(unzip reads it), and in the metadata of an onnx file.

The file is read back in its own runtime and compared with Keras: probabilities within 0.0001 on drawn faces and on the val split;
litert-int8 (kernels in 8 bits) within one point of accuracy there. If it is not, the command fails and leaves no file. Without a
dataset the accuracy is not measured, and litert-int8 only has to be within 0.05 of every probability on drawn faces.
""",
    "runs": """\
examples:
  python main.py runs                                every run below runs/, the best first
  python main.py runs runs/compare-2026-05-04_12-00-00 --sort name
  python main.py runs --sort started                 the newest first
  python main.py runs --csv runs.csv --json runs.json

A run is a folder with a recipe.json. Accuracy, clean accuracy, macro F1 and loss are those of the validation split, at the epoch
of the best accuracy. A damaged run folder is listed as unreadable.
""",
    "demo": """\
examples:
  python main.py demo                                set up, train, measure, explain, predict, export, verify
  python main.py demo --epochs 3 --folder /tmp/demo

Nothing is downloaded. FOLDER/index.html shows each step with its picture and the command to do the same on your own data.
""",
}

SUMMARIES = {
    "setup": "dataset on disk from Kaggle's files, class folders, or drawn sample faces",
    "train": "train a model by a recipe, resumable",
    "evaluate": "measure a trained model: accuracy with and without leaked copies, per class, calibration, confusion",
    "verify": "check the installation and a model: shapes, gradients, losses, reload",
    "compare": "train backbones, parts taken away, or models by one recipe, and show what each reaches and costs",
    "predict": "faces in photos, folders, videos and camera, and their expressions",
    "explain": "what in a face speaks for its label: Grad-CAM, Grad-CAM++, occlusion, DAN's heads, the transformer's window",
    "serve": "a web page and a JSON API: drop a photo or use the camera",
    "release": "a trained model as one small, calibrated file with its model card",
    "export": "a model as SavedModel, LiteRT or ONNX, compared with Keras in its own runtime",
    "runs": "list the runs below a folder with what each reached, the best first",
    "demo": "everything once on drawn sample faces, in under three minutes",
}
