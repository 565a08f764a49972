"""Odd command lines, one a line: `test_odd_lines.py` runs them. The words in braces are put in."""

from __future__ import annotations

#: code 2: one line on stderr, nothing on stdout, nothing written
WRONG = """
# words
-
--
--verson
--json
price --help-me
Price good.npz --profile loihi
"price good.npz" --profile loihi
chip
chip chek net
chip check
study
study go a.toml
search
profiles shw loihi
profiles --jsn
show
show good.npz good.npz
record
compare digits
train extra words
outlook --table
validate extra
# files of other kinds
show .
show net
show ""
show a-file
show good.npy
show {long}
show {nul}
show {here}/none.npz
price . --profile loihi
price a-file --profile loihi
price good.npy --profile loihi
price net/network.toml --profile loihi
price {long}.npz --profile loihi
price "" --profile loihi
price good.npz --profile .
price good.npz --profile a-file
price good.npz --profile good.npz
price good.npz --profile empty.toml
price good.npz --profile {long}
price good.npz --profile {long}.toml
price good.npz --profile {nul}
price good.npz --profile ""
price good.npz --profile loihi@batch0
price good.npz --profile loihi@nowhere
price good.npz --profile @batch1
price good.npz --profile v100@batch{huge}
price good.npz --profile v100@batch-3
price good.npz --profile loihi --bill ""
price good.npz --profile loihi --bill FULL
price good.npz --profile loihi --leave-out spike,,hopp
price good.npz --profile loihi --elsewhere fc1
price good.npz --profile loihi --elsewhere fc7:v100
price good.npz --profile loihi --elsewhere fc1:v10
price good.npz --profile loihi -o .
price good.npz --profile loihi -o no-folder/bill.html
account good.npz --profile lohi
account a-file --profile loihi
sensitivity good.npz --profile loihi --against lohi
sensitivity good.npz --profile loihi --other a-file --against v100
sensitivity good.npz --profile loihi --distribution gauss
sensitivity good.npz --profile loihi --picture no-folder/a.png
sensitivity good.npz --profile loihi --picture a.docx
cite good.npz
cite {long}
cite a-file --profile loihi
cite net
cite good.npz --profile lohi
cite good.npz --profile loihi --out a-file
# networks
record {long} --data digits -o x.npz
record "" --data digits -o x.npz
record a-file --data digits -o x.npz
record mine.py --inputs good.npy -o x.npz
record mine.py: --inputs good.npy -o x.npz
record :make --inputs good.npy -o x.npz
record mine.py:two --inputs good.npy -o x.npz
record broken.py:make --inputs good.npy -o x.npz
record mine.py:leaves --inputs good.npy -o x.npz
record mine.py:raises --inputs good.npy -o x.npz
record mine.py:wants --inputs good.npy -o x.npz
record net --inputs . -o x.npz
record net --inputs {long} -o x.npz
record net --inputs good.npz -o x.npz
record net --inputs empty.npy -o x.npz
record net --inputs nan.npy -o x.npz
record net --inputs words.npy -o x.npz
record net --inputs flat.npy -o x.npz
record net --inputs good.npy --samples -1 -o x.npz
record net --inputs good.npy --samples {huge} -o x.npz
record net --inputs good.npy --samples 1.5 -o x.npz
record net --inputs good.npy --seed -1 -o x.npz
record net --inputs good.npy --seed {huge} -o x.npz
record net --inputs good.npy --seed nan -o x.npz
record net --inputs good.npy --timesteps 0 -o x.npz
record net --inputs good.npy --layout BTT -o x.npz
record net --inputs good.npy -o ""
record net --inputs good.npy -o .
record net --inputs good.npy -o {long}
record net --inputs good.npy -o {nul}
record net --inputs good.npy -o a-file/b/c.npz
record net --data digits --root a-file/b --data minst -o x.npz
# training
train --data "" --out t
train --data ../digits --out t
train --data digits --network "" --out t
train --epochs -1 --out t
train --epochs {huge} --timesteps 0 --out t
train --epochs 1e3 --out t
train --timesteps {huge}0 --epochs 0 --out t
train --data digits --timesteps {huge} --out t
train --data digits --timesteps 1000000000 --epochs 1 --out not-made
train --kind ANN --out t
train --encoder delta --out t
train --neuron lfi --out t
train --loss mse --out t
train --prune 1.5 --out t
train --prune nan --out t
train --prune -0.1 --out t
train --energy-budget -1 --out t
train --energy-budget nan --out t
train --profile lohi --out t
train --backend cuda12 --out t
train --seed {huge} --out t
train --seed -5 --out t
train --out {nul}
train --out a-file
train --epochs
compare --epochs 0 --out c
compare --profiles loihi, --profiles v10 --out c
compare --profiles {long} --out c
compare --samples -4 --out c
compare --samples 1e9 --out c
compare --rate-hz inf --out c
compare --rate-hz -1 --out c
compare --rate-hz 1e400 --out c
compare --seed 99999999999999999999 --out c
compare --out a-file
convert net --over 2,x
convert net --over 0
convert net --over ""
convert net --pictures p
convert nowhere --over 4
convert a-file --out o
robustness
robustness net --epsilons big
robustness net --noise hum
robustness net --attacks pgdd
robustness net --samples 0
robustness a=net a=net --attacks none --noise none --samples 0
robustness =net
robustness net --attacks none --noise none
robustness ../a=net --pictures curves --noise none --epsilons 0.1
robustness x=nowhere
# what names more or other things than it seems
price good.npz --profile loihi,v100
price good.npz --profile loihi --out bill.pdf
record mine:make --inputs good.npy -o a.npz
record net --inputs good.npz -o a.npz
convert net --out made
# chips
chip check nowhere
chip check net --chip lohi
chip check net --shape 9
chip check net --shape axb
chip check net --shape ""
chip check net --shape 0x0
chip check net --shape -1x8x8
chip check net --shape 1x8x8x
chip check net --shape {huge}
chip check net --data minst
chip check mine.py:make
chip check a-file.nir
chip check broken.nir
chip place net --chip lohi
chip place net --chip loihi --method random
chip place net --chip loihi --seed -1
chip place net --chip loihi --picture a.docx
chip place net --chip loihi --picture no-folder/a.png
chip simulate net --chip loihi --inputs flat.npy
chip simulate net --chip loihi --inputs nan.npy
chip simulate net --chip loihi --inputs none.npy
chip simulate net --chip loihi --inputs good.npy --threads 0
chip simulate net --chip loihi --inputs good.npy --precision half
chip simulate net --chip loihi --inputs good.npy --rule fan-in
chip simulate net --chip loihi --inputs good.npy --learn fc9
chip simulate net --chip loihi --data digits --inputs good.npy
chip simulate net --chip loihi
chip simulate net --chip loihi --data digits --samples 0
# profiles, studies, searches, outlook, live
profiles new .
profiles new a-file/new
profiles new {long}
profiles new {nul}
profiles check a-file
profiles check empty.toml
profiles check ""
profiles show .
profiles show empty.toml
study run .
study run a-file
study run none.toml
study run {long}.toml
study run empty.toml
study run study.toml --set epochs
study run study.toml --set =2
study run study.toml --set x=0.1 --set x=0.2
price good.npz --profile loihi --elsewhere fc1=v100 --elsewhere fc1=h100
study run study.toml --set nothing=2
study run study.toml --set x=nan
study run study.toml --set x=[]
study run study.toml --set x=many
study run study.toml --threads 0 --set y=1
study run study.toml --out a-file
study show .
study show a-file
study show {long}
search run study.toml
search run empty.toml
search show .
search show a-file
search show none
outlook --table everything
outlook --parameters 0
outlook --flop 1e25
outlook --flop nan --year 2026
outlook --flop -1 --year 2026
outlook --flop 1e25 --year nan
outlook --flop inf --year 2026
outlook --parameters 1e9 --year 1e9
outlook --flop 1e25 --parameters 1e9 --year 2026
outlook --runs mine --flop 1e25 --year 2026
outlook --out a-file
live --data minst
live --ann net
live --comparison net --out l.html
live --comparison none --out l.html
live --out a-file/l.html
live --out .
# JSON asked for, and an error all the same
price good.npz --profile lohi --json
show a-file --json
chip check net --shape 9 --json
record net --inputs flat.npy -o x.npz --json
profiles show lohi --json
study show . --json
outlook --table everything --json
sensitivity good.npz --profile lohi --json
"""

#: code 0
UNUSUAL = """
--help
--version
--version --help
price --help
profiles
profiles --json
profiles show loihi
profiles show loihi --json
profiles check loihi
chip check net --chip loihi --chip odin --json
price good.npz --profile loihi --leave-out spike --leave-out second --json
chip list
chip list --json
price --profile loihi good.npz
price good.npz --profile=loihi
price good.npz --profile v100 --profile loihi
price ./good.npz --profile loihi --json --json
price {here}/good.npz --profile loihi
price good.npz --profile loihi --leave-out second --leave-out hop
price good.npz --profile loihi@batch1
price good.npz --profile loihi -o bill.html
price "a file of mine.npz" --profile loihi
price Größe-😀.npz --profile loihi
price good.npz --profile loihi --leave-out ""
account good.npz --profile loihi --leave-out second,hop
chip simulate net --chip loihi --inputs good.npy --threads 5000
show good.npz
show good.npz --json
show --json -- good.npz
account good.npz --profile loihi
account good.npz --profile loihi --json
sensitivity good.npz --profile loihi --against v100
record net --inputs good.npy -o out.npz
record net --inputs good.npy -o out-without-ending
record net/ --inputs ./good.npy -o Größe.npz --json
record net --inputs bytes.npy -o out.npz
record net --inputs other-order.npy -o out.npz
record net --inputs good.npy --samples 1 -o /dev/null
record mine.py:made --inputs rows.npy -o out.npz
chip check net --shape 1x8x8
chip check net --chip loihi --shape 1x8x8 --json
profiles new "q\\"uote"
profiles new Größe
outlook --table all
outlook --check
outlook --flop 1e25 --year 2026
"""
